<?php
// The probe in PHP: initialises once, then does what its first argument says.  See languages.py.
require getenv('PROBE_PHP') . '/prefork_interp.php';

[$init, $rest] = explode(' ', (getenv('PROBE_INIT') ?: '') . ' ', 2);
$rest = substr($rest, 0, -1);
switch ($init) {
    case 'exit': exit((int) $rest);
    case 'signal': posix_kill(getmypid(), (int) $rest); sleep(10);
    case 'sleep': usleep((int) ($rest * 1e6)); break;
    case 'run': passthru($rest); break;
    case 'mark': file_put_contents($rest, getmypid() . "\n", FILE_APPEND); break;
}
if (is_file(__DIR__ . '/probe_module.php')) {
    require __DIR__ . '/probe_module.php';
}
$module = function_exists('probe_version') ? probe_version() : 'none';
$token = sprintf('%08x', mt_rand());
if (getenv('PROBE_CHECK') !== false) {
    prefork_autoreload_also_check(getenv('PROBE_CHECK'));
}
if ($init !== 'never') {
    $options = [];
    foreach (array_filter(explode(' ', getenv('PROBE_OPTIONS') ?: '')) as $pair) {
        [$name, $value] = explode('=', $pair);
        $options[$name] = (int) $value;
    }
    prefork_initialisation_complete($options);
}

final class Left // what a destructor does at the end
{
    public $path;

    public function __destruct()
    {
        file_put_contents($this->path, 'buffered');
    }
}

function kill_me(int $number): void
{
    if (!in_array($number, [SIGKILL, SIGSTOP], true)) {
        pcntl_signal($number, SIG_DFL);
    }
    posix_kill(getmypid(), $number);
    sleep(10);
}

function catch_it(string $name, int $code): void
{
    pcntl_async_signals(true);
    pcntl_signal(constant("SIG$name"), static function () use ($name, $code) {
        echo "caught $name\n";
        exit($code);
    });
    echo "ready\n";
    for ($i = 0; $i < 2000; $i++) {
        usleep(10000); // not in one: a signal just before it would be handled behind it
    }
}

function background(string $path): void
{
    if (pcntl_fork() === 0) {
        fclose(STDOUT);
        fclose(STDERR);
        usleep(500000);
        touch($path);
        posix_kill(getmypid(), SIGKILL);
    }
}

function ignored(int $number): bool
{
    preg_match('/^SigIgn:\s*(\w+)/m', file_get_contents('/proc/self/status'), $found);
    return (hexdec(substr($found[1], -8)) >> ($number - 1) & 1) === 1;
}

$args = array_slice($argv, 2);
switch ($argv[1]) {
    case 'args': echo implode('', array_map(static fn ($arg) => bin2hex($arg) . "\n", $args)); break;
    case 'env':
        $all = getenv();
        ksort($all, SORT_STRING);
        foreach ($all as $name => $value) {
            echo "$name=$value\0";
        }
        break;
    case 'exit': exit((int) $args[0]);
    case 'fall': break;
    case 'die': kill_me((int) $args[0]); break;
    case 'cat': stream_copy_to_stream(STDIN, STDOUT); break;
    case 'line': echo 'got: ', @fgets(STDIN) ?: "nothing\n"; break;
    case 'both': echo "$args[0]\n"; fwrite(STDERR, "$args[1]\n"); break;
    case 'where': echo getcwd(), "\n"; break;
    case 'umask': printf("%04o\n", umask()); break;
    case 'who': echo "$token ", getmypid(), " $module\n"; break;
    case 'name': echo $_SERVER['SCRIPT_NAME'], "\n"; break;
    case 'limit': echo posix_getrlimit()['soft openfiles'], "\n"; break;
    case 'nice': echo pcntl_getpriority(), "\n"; break;
    case 'random': echo mt_rand(), ' ', rand(), "\n"; break;
    case 'tty': echo implode(' ', array_map(static fn ($s) => (int) stream_isatty($s), [STDIN, STDOUT, STDERR])), "\n"; break;
    case 'fd': echo is_link("/proc/self/fd/$args[0]") ? "open\n" : "closed\n"; break;
    case 'writefd': fwrite(fopen("php://fd/$args[0]", 'w'), $args[1]); break;
    case 'closed': fwrite(STDERR, @fwrite(STDOUT, 'x') ? "written\n" : "refused\n"); break;
    case 'ignored': echo ignored(constant("SIG$args[0]")) ? "yes\n" : "no\n"; break;
    case 'sleep': echo "ready\n"; usleep((int) ($args[0] * 1e6)); echo "slept\n"; break;
    case 'trap': catch_it($args[0], (int) $args[1]); break;
    case 'background': background($args[0]); break;
    case 'child': passthru('echo "${PREFORK_INTERP-unset}"'); break;
    case 'file': $left = new Left(); $left->path = $args[0]; break;
    case 'fail': throw new RuntimeException('this one is expected');
    case 'atend': register_shutdown_function(static function () use ($args) { echo $args[0]; }); exit(4);
    case 'buffered': ob_start(); echo 'in a buffer'; break;
    case 'globals':
        echo json_encode([$argc, $argv, $_SERVER['argc'], $_SERVER['argv'], $_SERVER['PHP_SELF'], $_SERVER['PROBE_VALUE'] ?? null,
            $_ENV['PROBE_VALUE'] ?? null, abs(time() - $_SERVER['REQUEST_TIME']) < 5, isset($_SERVER['PREFORK_INTERP'])]), "\n";
        break;
    default: fwrite(STDERR, "probe: what is $argv[1]?\n"); exit(2);
}
