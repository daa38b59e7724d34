# frozen_string_literal: true

# Pay a Ruby script's start-up once: the script's side of prefork-interp.
#
#   require 'json'; require 'net/http'; ...       # what takes its time
#   require 'prefork_interp'
#   PreforkInterp.initialisation_complete(idle_timeout: 3600)   # returns once for each call, in a process of its own
#
#   setup: script initialises --initialisation_complete--> forks twice, exits
#     `-- child of a child: the interpreter that stays; its parent executes brood-interp, the server
#   server --F--> interpreter forks an executor --request--> it returns from the function above
#   server --R--> interpreter reaps one
#
# The protocol between server and interpreter: docs/interp.md.  Only what comes with Ruby (2.7 and later); until there is
# something to serve nothing is loaded, so that a script which runs by itself pays for nothing.
module PreforkInterp
  DEFAULTS = {
    max_servers: 4, idle_timeout: 1_000_000, autoreload_inc: true, autoreload_extra: [], max_errors: 100,
    log_facility: 'LOG_USER', spare: 1, quick_exit: false, warmup: nil, max_calls: 0, int_grace: 5, term_grace: 5,
    sigint: 'default', sigpipe: 'default', freeze: true
  }.freeze
  PLAIN_NUMBERS = %i[max_servers idle_timeout max_errors spare max_calls int_grace term_grace].freeze

  ACCMODE = 3
  F_SETFD = 2
  F_GETFL = 3
  F_SETFL = 4
  F_DUPFD = 0
  F_DUPFD_CLOEXEC = 1030

  @also_check = []

  class << self
    # Further files whose change makes the server start anew.
    def autoreload_also_check(*paths)
      @also_check.concat(paths)
      nil
    end

    # Returns once for each call; at once and only once where the script runs by itself.
    def initialisation_complete(**options)
      options = checked(options)
      return if @variable.nil?

      given = Given.new(@variable)
      server = server_program(given)
      refuse_threads
      require 'socket'
      line = detach(given, server)
      say_hello(line, given, options)
      options[:warmup]&.call
      serve(line, options) # returns in executors only
      nil
    end

    alias prefork_autoreload_also_check autoreload_also_check
    alias prefork_initialisation_complete initialisation_complete

    private

    def fail_with(text)
      raise "initialisation_complete: #{text}"
    end

    def checked(options)
      unknown = options.keys - DEFAULTS.keys
      raise ArgumentError, "initialisation_complete: unknown option '#{unknown[0]}'" unless unknown.empty?

      options = DEFAULTS.merge(options)
      %i[sigint sigpipe].each do |name|
        next if %w[default ruby].include?(options[name].to_s)

        raise ArgumentError, "initialisation_complete: #{name} is 'default' or 'ruby', not #{options[name].inspect}"
      end
      options
    end

    # ---- what the wrapper said

    # Out of the environment at once: a program started during initialisation must not take it for its own.
    def take_variable
      @variable = ENV.delete('PREFORK_INTERP')
      @script = $PROGRAM_NAME.dup
      return if @variable.nil?

      @words = words_before_arguments
      @ignored_at_start = signal_set('SigIgn')
      begin
        Given.new(@variable).fds.each { |fd| inherit(fd, false) }
      rescue RuntimeError, SystemCallError
        nil # said when it is needed
      end
      at_exit { PreforkInterp.send(:leave) } # registered first, so called last
    end

    def inherit(number, passed_on)
      IO.for_fd(number, access_mode(number), autoclose: false).fcntl(F_SETFD, passed_on ? 0 : 1)
    end

    # Ruby wants to know; a descriptor does not care.
    def access_mode(number)
      File.read("/proc/self/fdinfo/#{number}")[/^flags:\s*([0-7]+)/, 1].oct & ACCMODE
    end

    # Of our own command line, up to and with the script: what is behind them are arguments.
    def words_before_arguments
      words = File.binread('/proc/self/cmdline').split("\0", -1)[0..-2]
      at = words.each_index.find { |i| i.positive? && words[i] == @script.b }
      words[0..(at || [words.size - ARGV.size - 1, 0].max)]
    end

    # From our wrapper, from the environment, or where we were installed.
    def server_program(given)
      places = [given.server, ENV.fetch('BROOD_INTERP', '')]
      prefix, share, = __FILE__.partition('/share/brood/')
      places << "#{prefix}/libexec/brood/brood-interp" unless share.empty?
      places.reject!(&:empty?)
      places.find { |place| File.executable?(place) } ||
        fail_with("cannot find the server program brood-interp (looked at: #{places.join(', ')})")
    end

    def refuse_threads
      others = Thread.list - [Thread.current]
      # From 3.3 on Ruby has a timer thread of its own, and starts it again after a fork.
      own = RUBY_VERSION >= '3.3' ? 2 : 1
      n = Dir.children('/proc/self/task').size
      return if others.empty? && n <= own

      names = others.map { |thread| thread.name || thread.inspect }
      names << 'not of Ruby' if names.empty?
      fail_with("#{[n, others.size + 1].max} threads run, which a fork would lose (#{names.join(', ')})")
    end

    # ---- the server

    def flush_all
      ObjectSpace.each_object(IO) do |io|
        io.flush unless io.closed?
      rescue IOError, SystemCallError
        nil # not for writing, or its reader has gone: as at an exit
      end
    end

    # Sockets that Ruby makes do not block; the server expects one that does.
    def wait_in(socket)
      socket.fcntl(F_SETFL, socket.fcntl(F_GETFL) & ~File::NONBLOCK)
    end

    # Returns in the interpreter that stays, with its end of the line.
    def detach(given, server)
      mine, theirs = Socket.pair(:UNIX, :SEQPACKET, 0).each { |end_| wait_in(end_) }
      flush_all
      exit!(0) if fork
      Process.setsid
      execute_server(given, server, theirs) if fork
      theirs.close
      given.fds.each { |fd| IO.for_fd(fd, access_mode(fd)).close }
      mine
    end

    def execute_server(given, server, theirs)
      kept = [theirs.fileno, *given.fds].to_h { |fd| [fd, fd] }
      kept.each_key { |fd| inherit(fd, true) }
      exec([server, 'brood-interp'], 'serve', theirs.fileno.to_s, @script, **kept)
    rescue SystemCallError => e
      warn "initialisation_complete: #{server}: #{e.message}"
      exit!(127)
    end

    def say_hello(line, given, options)
      files = [@script, *@also_check, *options[:autoreload_extra]]
      files.concat($LOADED_FEATURES.select { |path| path.start_with?('/') }) if options[:autoreload_inc]
      said = given.said + [['pid', Process.pid], ['script', @script], %w[feat cwd]]
      said << %w[mark brood1] if given.mark
      said.concat(@words.map { |word| ['word', word] })
      said.concat(files.uniq.map { |file| ['file', file] })
      said.concat(PLAIN_NUMBERS.map { |name| [name, options[name].to_i] })
      said << ['log_facility', options[:log_facility]]
      text = said.map { |name, value| "#{name}=".b << value.to_s.b << "\0" }.join
      text = [text.bytesize].pack('N') << text
      (0...text.bytesize).step(32_768) { |at| line.send(text.byteslice(at, 32_768), 0) }
    end

    # The interpreter's whole life: fork, or reap.  Returns in executors only.
    def serve(line, options)
      @quick = options[:quick_exit]
      streams = [STDIN, STDOUT, STDERR]
      @habits = streams.to_h { |stream| [stream, [stream.sync, stream.external_encoding, stream.internal_encoding]] }
      streams.each { |stream| stream.reopen(File::NULL, stream == STDIN ? 'r' : 'w') }
      Process.setproctitle("#{@script} [server]")
      share_memory if options[:freeze]
      children = {}
      while (what, value, descriptor = order(line))
        case what
        when 'F'
          pid = fork_executor
          return execute(line, descriptor, options) if pid.nil?

          descriptor.close
          join_group(pid, pid)
          children[pid] = true unless pid.zero?
          answer(line, ['F', value, pid]) or break
        when 'R'
          _, status = Process.wait2(value)
          children.delete(value)
          answer(line, ['R', value, status.to_i]) or break
        end
      end
      # The server has gone.  Spares see that themselves; services have lost their caller.
      children.each_key { |pid| interrupt(pid) }
      exit!(0)
    end

    def share_memory
      GC.start
      Process.warmup if Process.respond_to?(:warmup)
    end

    def order(line)
      text, _, _, *controls = line.recvmsg(5, 0, nil, scm_rights: true)
      return if text.nil? || text.bytesize != 5

      [*text.unpack('aN'), *controls.flat_map(&:unix_rights)]
    rescue SystemCallError
      nil
    end

    def answer(line, words)
      line.send(words.pack('aNN'), 0)
    rescue SystemCallError
      nil
    end

    # nil in the child; 0: it could not be.
    def fork_executor
      fork
    rescue SystemCallError, NotImplementedError
      0
    end

    def join_group(pid, group)
      Process.setpgid(pid, group)
    rescue SystemCallError
      nil # the child did it first, or has ended
    end

    def interrupt(group)
      Process.kill('INT', -group)
    rescue SystemCallError
      nil # it has just ended
    end

    # ---- an executor

    def execute(line, connection, options)
      line.close
      join_group(0, 0)
      trap('INT', 'SYSTEM_DEFAULT') unless options[:sigint].to_s == 'ruby'
      trap('PIPE', 'SYSTEM_DEFAULT') unless options[:sigpipe].to_s == 'ruby'
      trap('CHLD', 'DEFAULT')
      head, _, _, *controls = connection.recvmsg(4, 0, nil, scm_rights: true)
      received = controls.flat_map(&:unix_rights)
      exit!(0) if head.nil? || head.bytesize != 4 || received.size < 3
      length = head.unpack1('N')
      text = length.zero? ? +'' : connection.read(length)
      exit!(0) if text.nil? || text.bytesize != length
      connection.close
      attributes, environment, arguments = cut(text)
      Process.setproctitle([*@words, *arguments].join(' '))
      descriptors = take_descriptors(received, attributes)
      take_environment(environment)
      take_attributes(descriptors, attributes)
      ARGV.replace(arguments.map { |argument| argument.force_encoding(Encoding.find('locale')) })
      srand
      @executor = true
    end

    # Three lists of strings; the first two end with an empty one.
    def cut(text)
      strings = text.split("\0", -1)[0..-2]
      attributes = strings.take_while { |string| !string.empty? }
      rest = strings.drop(attributes.size + 1)
      environment = rest.take_while { |string| !string.empty? }
      [attributes.map { |string| string.split('=', 2) }, environment, rest.drop(environment.size + 1)]
    end

    # Into place; first all above every place, or one would be overwritten by another's coming.
    def take_descriptors(received, attributes)
      places = attributes.filter_map { |name, value| value.split(':').map(&:to_i) if name == 'fd' }
      above = [2, *places.map(&:last)].max + 1
      descriptors = received.map do |io|
        IO.for_fd(io.fcntl(F_DUPFD_CLOEXEC, above), io.fcntl(F_GETFL) & ACCMODE)
      end
      [STDIN, STDOUT, STDERR].each_with_index { |stream, i| renew(stream, received[i]) }
      received.each(&:close)
      places.each { |i, number| put(descriptors[i], number) }
      descriptors
    end

    # In place, since loggers and others hold these objects.  A descriptor that the caller had closed arrives as /dev/null the
    # wrong way round: writing fails, and reading finds the end, which is what Ruby makes of a closed one at its start.
    def renew(stream, received)
      mode = stream == STDIN ? 'r' : 'w'
      closed = received.fcntl(F_GETFL) & ACCMODE == (stream == STDIN ? File::WRONLY : File::RDONLY)
      if closed && stream == STDIN
        stream.reopen(File::NULL)
      elsif closed
        stream.reopen(received)
      else
        copy = IO.for_fd(received.fcntl(F_DUPFD_CLOEXEC, 3), mode)
        stream.reopen(copy)
        copy.close
      end
      stream.sync, *encodings = @habits[stream]
      stream.set_encoding(*encodings)
    end

    # Ruby has no dup2 for any number: close what is there, and take the lowest free one from there on.  A number that the
    # virtual machine keeps for itself cannot be had, which Ruby says when the script uses it.
    def put(descriptor, number)
      if File.exist?("/proc/self/fd/#{number}")
        IO.for_fd(number, access_mode(number)).close
      end
      copy = descriptor.fcntl(F_DUPFD, number)
      IO.for_fd(copy, access_mode(copy)).close if copy != number
    rescue ArgumentError
      nil
    end

    # Exactly these; of doubles the first, as at a start.
    def take_environment(entries)
      fresh = {}
      entries.each do |entry|
        name, value = entry.split('=', 2)
        fresh[name] ||= value || '' unless name.nil? || name.empty?
      end
      fresh.each_value { |value| value.force_encoding(Encoding.find('locale')) }
      ENV.replace(fresh)
    end

    def take_attributes(descriptors, attributes)
      ignored = blocked = []
      attributes.each do |name, value|
        case name
        when 'umask' then File.umask(value.oct)
        when 'cwd' then Dir.chdir("/proc/self/fd/#{descriptors[value.to_i].fileno}")
        when 'sigign' then ignored = signal_numbers(value.hex)
        when 'sigblk' then blocked = signal_numbers(value.hex)
        end
      end
      descriptors.each(&:close)
      return if attributes.empty? # an original wrapper tells nothing of the caller

      (@ignored_at_start - ignored).each { |number| handle(number, 'SYSTEM_DEFAULT') }
      ignored.each { |number| handle(number, 'IGNORE') }
      block(blocked) if signal_set('SigBlk').sort != blocked.sort
    end

    def handle(number, action)
      trap(number, action)
    rescue ArgumentError, SystemCallError
      nil # one that Ruby keeps for itself
    end

    # Ruby has no name for this; Fiddle comes with it.
    def block(numbers)
      require 'fiddle'
      set = [numbers.sum { |number| 1 << (number - 1) }].pack('Q').ljust(128, "\0")
      type = [Fiddle::TYPE_INT, Fiddle::TYPE_VOIDP, Fiddle::TYPE_VOIDP]
      mask = Fiddle::Function.new(Fiddle.dlopen(nil)['pthread_sigmask'], type, Fiddle::TYPE_INT)
      mask.call(RUBY_PLATFORM.include?('mips') ? 3 : 2, set, nil) # SIG_SETMASK
    rescue LoadError
      nil
    end

    def signal_numbers(set)
      (1..64).select { |number| set[number - 1] == 1 }
    end

    def signal_set(row)
      signal_numbers(File.read('/proc/self/status')[/^#{row}:\s*(\h+)/, 1].hex)
    end

    # The last exit handler.  quick_exit: write what is unwritten, and leave without finalizers.  An uncaught exception is
    # still to be printed, by Ruby.
    def leave
      return unless @executor && @quick
      return unless $!.nil? || $!.is_a?(SystemExit)

      flush_all
      exit!($!.nil? ? 0 : $!.status)
    end
  end

  # v1,SECS.NSECS[,MARK...] LISTEN,CALL,WATCHI,WATCHE[,...][ server=PATH]
  class Given
    FORM = /\Av1,(?<start>\d+\.\d+)(?<marks>(?:,[^ ]*)?) (?<fds>\d+,\d+,\d+,\d+)(?:,[^ ]*)?(?: (?<rest>.*))?\z/mn.freeze

    attr_reader :fds, :mark, :server

    def initialize(variable)
      form = FORM.match(variable.b)
      raise 'initialisation_complete: environment variable PREFORK_INTERP is malformed' if form.nil?

      @start = form[:start]
      @mark = form[:marks].split(',').include?('brood1')
      @fds = form[:fds].split(',').map(&:to_i)
      @server = form[:rest].to_s[/\Aserver=(.*)\z/m, 1] || ''
    end

    # For the hello.
    def said
      %w[listen call watchi watche].zip(@fds) << ['start', @start]
    end
  end

  take_variable
end
