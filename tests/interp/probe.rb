# The probe in Ruby: initialises once, then does what its first argument says.  See languages.py.
require 'prefork_interp'

init, _, rest = ENV.fetch('PROBE_INIT', '').partition(' ')
case init
when 'exit' then exit(rest.to_i)
when 'signal' then Process.kill(rest.to_i, Process.pid) && sleep(10)
when 'sleep' then sleep(rest.to_f)
when 'run' then system(rest)
when 'mark' then File.write(rest, "#{Process.pid}\n", mode: 'a')
end
begin
  require_relative 'probe_module'
  MODULE_VERSION = ProbeModule.version
rescue LoadError
  MODULE_VERSION = 'none'.freeze
end
TOKEN = format('%08x', rand(2**32))
PreforkInterp.autoreload_also_check(ENV['PROBE_CHECK']) if ENV['PROBE_CHECK']
unless init == 'never'
  options = ENV.fetch('PROBE_OPTIONS', '').split.to_h { |pair| pair.split('=') }
  PreforkInterp.initialisation_complete(**options.to_h { |name, value| [name.to_sym, value.to_i] })
end

$stdout.sync = true
$left_open = [] # never closed by us

def die(number)
  exec('sh', '-c', "kill -#{number} $$") if [11, 9].include?(number) # Ruby's own handler would make an abort of it
  Signal.trap(number, 'SYSTEM_DEFAULT')
  Process.kill(number, Process.pid)
  sleep 10
end

def shut
  STDOUT.write('x')
  warn 'written'
rescue SystemCallError
  warn 'refused'
end

def catch_it(name, code)
  trap(name) { STDOUT.syswrite("caught #{name}\n") && exit(code.to_i) }
  puts 'ready'
  sleep 20
end

def background(path)
  fork do
    [STDOUT, STDERR].each { |stream| stream.reopen(File::NULL, 'w') }
    sleep 0.5
    File.write(path, '')
    exit!(0)
  end
end

def open?(number)
  IO.for_fd(number, autoclose: false)
  'open'
rescue SystemCallError
  'closed'
end

what, *args = ARGV
case what
when 'args' then print(args.map { |arg| "#{arg.unpack1('H*')}\n" }.join)
when 'env' then print(ENV.map { |name, value| "#{name}=#{value}\0" }.sort.join)
when 'exit' then exit(args[0].to_i)
when 'fall' then nil
when 'die' then die(args[0].to_i)
when 'cat' then [STDIN, STDOUT].each(&:binmode) && IO.copy_stream(STDIN, STDOUT)
when 'line' then print("got: #{STDIN.gets || "nothing\n"}")
when 'both' then puts(args[0]) || warn(args[1])
when 'where' then puts(Dir.pwd)
when 'umask' then puts(format('%04o', File.umask))
when 'who' then puts("#{TOKEN} #{Process.pid} #{MODULE_VERSION}")
when 'name' then puts($PROGRAM_NAME)
when 'limit' then puts(Process.getrlimit(:NOFILE)[0])
when 'nice' then puts(Process.getpriority(Process::PRIO_PROCESS, 0))
when 'random' then puts(rand)
when 'tty' then puts([STDIN, STDOUT, STDERR].map { |stream| stream.tty? ? 1 : 0 }.join(' '))
when 'fd' then puts(open?(args[0].to_i))
when 'writefd' then IO.for_fd(args[0].to_i, 'w').write(args[1])
when 'closed' then shut
when 'ignored' then puts(trap(args[0], 'SYSTEM_DEFAULT') == 'IGNORE' ? 'yes' : 'no')
when 'sleep' then puts('ready') || sleep(args[0].to_f) && puts('slept')
when 'trap' then catch_it(*args)
when 'background' then background(args[0])
when 'child' then print(`sh -c 'echo "${PREFORK_INTERP-unset}"'`)
when 'file' then $left_open << File.open(args[0], 'w') && $left_open[0].write('buffered')
when 'fail' then raise 'this one is expected'
when 'abort' then abort 'a message'
when 'atexit' then at_exit { puts args[0] } && exit(4)
when 'streams'
  puts([STDIN, STDOUT, STDERR].map { |s| [s.fileno, s.sync, s.external_encoding.inspect, s.tty?].join(',') })
else raise "probe: what is #{what.inspect}?"
end
