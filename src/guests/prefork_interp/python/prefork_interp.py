"""Pay a Python script's start-up once: the script's side of prefork-interp.

    import argparse, sqlite3, ...                 # what takes its time
    from prefork_interp import initialisation_complete
    initialisation_complete(idle_timeout=3600)    # returns once for each call, in a process of its own

  setup: script initialises --initialisation_complete--> forks twice, exits
    `-- child of a child: the interpreter that stays; its parent executes brood-interp, the server
  server --F--> interpreter forks an executor --request--> it returns from the function above
  server --R--> interpreter reaps one

The protocol between server and interpreter: docs/interp.md.  Pure Python, 3.8 and later; until there is something to
serve it loads no module, so that a script which runs by itself pays for nothing.
"""

import os
import sys

__all__ = ["initialisation_complete", "autoreload_also_check",
           "prefork_initialisation_complete", "prefork_autoreload_also_check"]

DEFAULTS = dict(
    max_servers=4, idle_timeout=1000000, autoreload_inc=True, autoreload_extra=(), max_errors=100,
    log_facility="LOG_USER", spare=1, quick_exit=None, warmup=None, max_calls=0, int_grace=5, term_grace=5,
    sigint="default", sigpipe="default", freeze=True,
)
PLAIN_NUMBERS = ("max_servers", "idle_timeout", "max_errors", "spare", "max_calls", "int_grace", "term_grace")
DESCRIPTORS_MOST = 64

_also_check = []


def autoreload_also_check(*paths):
    """Further files whose change makes the server start anew."""
    _also_check.extend(paths)


def initialisation_complete(**options):
    """Returns once for each call; at once and only once where the script runs by itself."""
    for name in options:
        if name not in DEFAULTS:
            raise TypeError(f"initialisation_complete: unknown option '{name}'")
    options = {**DEFAULTS, **options}
    for name in ("sigint", "sigpipe"):
        if options[name] not in ("default", "python"):
            raise ValueError(f"initialisation_complete: {name} is 'default' or 'python', not {options[name]!r}")
    if _variable is None:
        return
    given = _Given(_variable)
    server = _server_program(given)
    _refuse_threads()
    line = _detach(given, server)
    _say_hello(line, given, options)
    if options["warmup"]:
        options["warmup"]()
    _serve(line, options)


prefork_initialisation_complete = initialisation_complete
prefork_autoreload_also_check = autoreload_also_check


# ---- what the wrapper said

class _Given:
    def __init__(self, variable):
        """v1,SECS.NSECS[,MARK...] LISTEN,CALL,WATCHI,WATCHE[,...][ server=PATH]"""
        words = variable.split(b" ", 2)
        first = words[0].split(b",")
        try:
            version, self.start = first[:2]
            whole, part = self.start.split(b".")
            if version != b"v1" or not (whole.isdigit() and part.isdigit()):
                raise ValueError
            self.fds = [int(n) for n in words[1].split(b",")[:4]]
            self.listen, self.call, self.watchi, self.watche = self.fds
        except (ValueError, IndexError):
            raise RuntimeError("initialisation_complete: environment variable PREFORK_INTERP is malformed") from None
        self.mark = b"brood1" in first[2:]
        rest = words[2] if len(words) > 2 else b""
        self.server = rest[len(b"server="):] if rest.startswith(b"server=") else b""


def _take_variable():
    """Out of the environment at once: a program started during initialisation must not take it for its own."""
    variable = os.environb.pop(b"PREFORK_INTERP", None)
    if variable is not None:
        try:
            for fd in _Given(variable).fds:
                os.set_inheritable(fd, False)
        except (RuntimeError, OSError):
            pass  # said when it is needed
    return variable


def _command_line():
    """Words of the command line up to and with the script: what is behind them are arguments."""
    with open("/proc/self/cmdline", "rb") as f:
        words = f.read().split(b"\0")[:-1]
    return words[:max(1, len(words) - len(sys.argv) + 1)]


_variable = _take_variable()
_words = _command_line() if _variable is not None else []
_script = sys.argv[0] if sys.argv else ""


def _server_program(given):
    """From our wrapper, from the environment, or where we were installed."""
    places = [given.server, os.environb.get(b"BROOD_INTERP", b"")]
    prefix, share, _ = os.fsencode(__file__).partition(b"/share/brood/")
    if share:
        places.append(prefix + b"/libexec/brood/brood-interp")
    places = [place for place in places if place]
    for place in places:
        if os.access(place, os.X_OK):
            return place
    looked = ", ".join(os.fsdecode(place) for place in places)
    raise RuntimeError(f"initialisation_complete: cannot find the server program brood-interp (looked at: {looked})")


def _refuse_threads():
    n = len(os.listdir("/proc/self/task"))
    if n > 1:
        import threading
        names = ", ".join(t.name for t in threading.enumerate() if t is not threading.current_thread())
        raise RuntimeError(f"initialisation_complete: {n} threads run, which a fork would lose ({names or 'not of Python'})")


# ---- the server

def _open_files():
    """Files that may hold output which was not written yet."""
    import gc
    import io
    kinds = (io.TextIOWrapper, io.BufferedWriter, io.BufferedRandom)
    return [o for o in gc.get_objects() if isinstance(o, kinds) and not o.closed]


def _flush(files):
    for file in files:
        try:
            file.flush()
        except (OSError, ValueError):
            pass  # closed or detached meanwhile, or its reader has gone: as at an exit


def _detach(given, server):
    """Returns in the interpreter that stays, with its end of the line."""
    import socket
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    _flush(_open_files())
    if os.fork():
        os._exit(0)
    os.setsid()
    if os.fork():
        try:
            for fd in [theirs.fileno(), *given.fds]:
                os.set_inheritable(fd, True)
            os.execv(server, [b"brood-interp", b"serve", b"%d" % theirs.fileno(), os.fsencode(_script)])
        except OSError as error:
            os.write(2, os.fsencode(f"initialisation_complete: {os.fsdecode(server)}: {error.strerror}\n"))
        os._exit(127)
    theirs.close()
    for fd in given.fds:
        os.close(fd)
    return mine


def _module_files():
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str):
            yield file


def _say_hello(line, given, options):
    files = [_script, *_also_check, *options["autoreload_extra"]]
    main = getattr(sys.modules.get("__main__"), "__file__", None)
    if main is not None and main != _script:
        files.append(main)
    if options["autoreload_inc"]:
        files += _module_files()
    said = [(b"listen", given.listen), (b"call", given.call), (b"watchi", given.watchi), (b"watche", given.watche),
            (b"start", given.start), (b"pid", os.getpid()), (b"script", _script), (b"feat", "cwd,end")]
    if given.mark:
        said.append((b"mark", "brood1"))
    said += [(b"word", word) for word in _words]
    said += [(b"file", os.fspath(file)) for file in dict.fromkeys(files)]
    said += [(os.fsencode(name), int(options[name])) for name in PLAIN_NUMBERS]
    said.append((b"log_facility", options["log_facility"]))
    text = b"".join(b"%b=%b\0" % (name, value if isinstance(value, bytes) else os.fsencode(str(value)))
                    for name, value in said)
    text = len(text).to_bytes(4, "big") + text
    for at in range(0, len(text), 32768):
        line.send(text[at:at + 32768])


class _Title:
    """The command line that ps shows: the memory it was given at the start, so it may not become longer."""

    def __init__(self):
        with open("/proc/self/stat", "rb") as f:
            fields = f.read().rpartition(b")")[2].split()
        self.start = int(fields[45])
        self.room = int(fields[46]) - self.start

    def show(self, text):
        try:
            fd = os.open("/proc/self/mem", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return  # forbidden here: the old title stays
        try:
            os.pwrite(fd, text[:self.room - 1].ljust(self.room, b"\0"), self.start)
        except OSError:
            pass
        finally:
            os.close(fd)


def _serve(line, options):
    """The interpreter's whole life: fork, or reap.  Returns in executors only."""
    import array
    import gc
    import signal
    import socket
    title = _Title()
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.close(null)
    title.show(os.fsencode(_script) + b" [server]")
    if options["freeze"]:
        gc.collect()
    end = _End(options)
    if options["freeze"]:
        gc.freeze()
    children = set()
    while True:
        text, fds = _receive(socket, array, line, 5)
        if len(text) != 5:
            break
        what, value = text[:1], int.from_bytes(text[1:], "big")
        try:
            if what == b"F":
                try:
                    pid = os.fork()
                except OSError:
                    pid = 0
                else:
                    if pid == 0:
                        line.close()
                        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, fileno=fds[0])
                        _execute(connection, options, title, end)
                        return
                os.close(fds[0])
                if pid:
                    _group(pid, pid)
                    children.add(pid)
                line.send(b"F" + value.to_bytes(4, "big") + pid.to_bytes(4, "big"), socket.MSG_NOSIGNAL)
            elif what == b"R":
                _, status = os.waitpid(value, 0)
                children.discard(value)
                line.send(b"R" + value.to_bytes(4, "big") + status.to_bytes(4, "big"), socket.MSG_NOSIGNAL)
        except BrokenPipeError:
            break
    # The server has gone.  Spares see that themselves; services have lost their caller.
    for pid in children:
        try:
            os.killpg(pid, signal.SIGINT)
        except OSError:
            pass
    os._exit(0)


def _group(pid, group):
    try:
        os.setpgid(pid, group)
    except OSError:
        pass  # the child did it first, or has ended


def _receive(socket, array, connection, most):
    """Bytes, and the descriptors that came with them."""
    try:
        text, control, _, _ = connection.recvmsg(most, socket.CMSG_SPACE(4 * DESCRIPTORS_MOST), socket.MSG_CMSG_CLOEXEC)
    except ConnectionError:
        return b"", []
    fds = array.array("i")
    for level, kind, data in control:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(data[:len(data) - len(data) % fds.itemsize])
    return text, list(fds)


# ---- an executor

def _execute(connection, options, title, end):
    import array
    import fcntl
    import signal
    import socket
    _group(0, 0)
    for number, choice, python in ((signal.SIGINT, options["sigint"], signal.default_int_handler),
                                   (signal.SIGPIPE, options["sigpipe"], signal.SIG_IGN)):
        signal.signal(number, python if choice == "python" else signal.SIG_DFL)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _rehearse(title, end)
    head, fds = _receive(socket, array, connection, 4)
    if len(head) != 4 or len(fds) < 3:
        os._exit(0)
    length = int.from_bytes(head, "big")
    text = connection.recv(length, socket.MSG_WAITALL) if length else b""
    while len(text) < length:
        piece = connection.recv(length - len(text))
        if not piece:
            os._exit(0)
        text += piece
    attributes, environment, arguments = _cut(text)
    connection.send(b"T", socket.MSG_NOSIGNAL)
    above = max([63] + [place for _, place in _places(attributes)]) + 1  # out of the way; 64 fit into a small table
    try:
        end.keep(fcntl.fcntl(connection.fileno(), fcntl.F_DUPFD_CLOEXEC, above))
    except OSError:
        pass  # a limit of the caller's: the server waits for our end
    connection.close()
    _begin(title, fds, attributes, environment, arguments)
    global _end
    _end = end
    end.begin()


def _begin(title, fds, attributes, environment, arguments):
    title.show(b"\0".join(_words + arguments))
    _take_descriptors(fds, attributes)
    _take_environment(environment)
    _take_attributes(fds, attributes)
    _take_streams()
    sys.argv[1:] = [os.fsdecode(argument) for argument in arguments]
    if hasattr(sys, "orig_argv"):
        sys.orig_argv[:] = [os.fsdecode(word) for word in _words + arguments]


def _rehearse(title, end):
    """A page that was the interpreter's costs a fault when it is first written, and these faults are most of a short call.
    So a spare plays a call to itself while it waits: what begins one, and what ends one as far as it can be called back."""
    text = b"\0" + b"".join(b"%b=%b\0" % entry for entry in os.environb.items()) + b"\0"
    _begin(title, [os.dup(0) for _ in range(3)], *_cut(text))
    end.unfinished()


def _cut(text):
    """Three lists of strings; the first two end with an empty one."""
    strings = text.split(b"\0")[:-1]
    first = strings.index(b"")
    second = strings.index(b"", first + 1)
    attributes = [s.partition(b"=")[::2] for s in strings[:first]]
    return attributes, strings[first + 1:second], strings[second + 1:]


def _places(attributes):
    return [tuple(map(int, value.split(b":"))) for name, value in attributes if name == b"fd"]


def _take_descriptors(fds, attributes):
    """Into place: first all above every place, or one would be overwritten by another's coming."""
    import fcntl
    places = [(i, i) for i in range(3)] + _places(attributes)
    above = max(target for _, target in places) + 1
    if min(fds) < above:
        for i, fd in enumerate(fds):
            fds[i] = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, above)
            os.close(fd)
    for i, target in places:
        os.dup2(fds[i], target)


def _take_environment(entries):
    """Exactly these; of doubles the first, as at a start."""
    new = {}
    for entry in entries:
        name, _, value = entry.partition(b"=")
        if name:
            new.setdefault(name, value)
    environ = os.environb
    zone = environ.get(b"TZ")
    for name in [name for name in environ if name not in new]:
        del environ[name]
    for name, value in new.items():
        if environ.get(name) != value:
            environ[name] = value
    if environ.get(b"TZ") != zone:
        import time
        time.tzset()


def _signals(hexadecimal):
    set_ = int(hexadecimal, 16)
    return {number for number in range(1, 65) if set_ >> (number - 1) & 1}


def _take_attributes(fds, attributes):
    import signal
    ignored, blocked = set(), set()
    for name, value in attributes:
        if name == b"umask":
            os.umask(int(value, 8))
        elif name == b"cwd":
            os.chdir(f"/proc/self/fd/{fds[int(value)]}")
        elif name == b"sigign":
            ignored = _signals(value)
        elif name == b"sigblk":
            blocked = _signals(value)
    for fd in fds:
        os.close(fd)
    if not attributes:
        return  # an original wrapper tells nothing of the caller
    for number in _ignored_at_start - ignored:
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


def _inherited_ignored():
    """Signals that the first caller ignored; what Python ignores by itself is not among them."""
    with open("/proc/self/status", "rb") as f:
        for row in f:
            if row.startswith(b"SigIgn:"):
                return {n for n in _signals(row.split()[1]) if n not in (13, 25)}  # SIGPIPE, SIGXFSZ
    return set()


_ignored_at_start = _inherited_ignored() if _variable is not None else set()


# ---- standard streams, as a fresh start would make them

def _take_streams():
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        usual = getattr(sys, f"__{name}__")
        if usual is not None and _was_closed(fd):
            if getattr(sys, name) is usual:
                setattr(sys, name, None)
            setattr(sys, f"__{name}__", None)
        else:
            _renew(getattr(sys, name), fd, name)
            _renew(usual, fd, name)


def _was_closed(fd):
    """A caller's closed descriptor arrives as one that fails as it would: /dev/null the wrong way round."""
    import fcntl
    import stat
    at = os.fstat(fd)
    mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    null = stat.S_ISCHR(at.st_mode) and at.st_rdev == os.makedev(1, 3)
    return null and mode == (os.O_RDONLY if fd else os.O_WRONLY)


def _renew(stream, fd, name):
    """In place, since loggers and others hold these objects: each layer is initialised again."""
    import io
    if type(stream) is not io.TextIOWrapper:
        return  # the script's own affair
    buffer = stream.buffer
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO or raw.closed or raw.fileno() != fd:
        return
    plain = buffer is raw
    raw = io.FileIO(fd, "rb" if fd == 0 else "wb", closefd=False)  # an old one would remember whether it could seek
    raw.name = f"<{name}>"
    if plain:
        buffer = raw
    else:
        block = os.fstat(fd).st_blksize
        buffer.__init__(raw, block if block > 1 else io.DEFAULT_BUFFER_SIZE)
    by_line = not plain and (raw.isatty() or (fd == 2 and sys.version_info >= (3, 9)))
    stream.__init__(buffer, stream.encoding, stream.errors, "\n", by_line, plain)


# ---- the end of an executor

class _Exit(SystemExit):
    """What sys.exit raises in an executor.  The interpreter asks for the code when the exception has reached the top, and
    then nobody else is on the stack: so it is known what the process will end with."""

    @property
    def code(self):
        value = SystemExit.code.__get__(self)
        try:
            sys._getframe(1)
        except ValueError:
            if not isinstance(value, int):
                _end.status = 0 if value is None else 1
            elif -1 << 31 <= value < 1 << 31:
                _end.status = value & 255
        return value

    @code.setter
    def code(self, value):
        SystemExit.code.__set__(self, value)

    def __reduce__(self):
        return SystemExit, self.args


_Exit.__name__ = _Exit.__qualname__ = "SystemExit"
_Exit.__module__ = "builtins"


def _exit(status=None, /):
    """Exit the interpreter by raising SystemExit(status)."""
    raise _Exit(status)


_exit.__name__ = _exit.__qualname__ = "exit"
_exit.__module__ = "sys"


class _End:
    """How an executor ends.  What the interpreter does at its end is to take every object apart, though the process's end
    does that for nothing; whoever has no object that wants to be finished leaves after the exit handlers.  Whether there is
    one among those of the initialisation is seen before the first fork."""

    def __init__(self, options):
        import gc
        self.gc, self.frozen = gc, options["freeze"]
        self.quick = options["quick_exit"]
        self.status = self.teller = self.frame = None
        self.memo, self.unsaved = {}, []
        if sys.warnoptions or sys.flags.dev_mode or sys.flags.inspect:
            self.quick = self.quick or False  # a developer wants to see everything finished
        if not _is_last:
            self.quick = False
        self.modules = len(sys.modules)
        self.clean = self.quick or self.quick is None and not (self.unfinished() or self.foreign())
        self.unsaved = _open_files()

    def keep(self, fd):
        self.teller = fd
        at = os.fstat(fd)
        self.teller_is = at.st_dev, at.st_ino

    def begin(self):
        self.pid = os.getpid()
        self.frame = sys._getframe()
        while self.frame.f_back is not None:
            self.frame = self.frame.f_back
        if self.clean and sys.exit is _sys_exit:
            sys.exit = _exit
        if _TAKES_OVER:
            import atexit
            atexit.unregister(_leave)
            atexit.register(_leave)

    def foreign(self):
        """Extension modules that are not Python's own may count on the C library's exit handlers."""
        import _socket
        own = os.path.dirname(getattr(_socket, "__file__", None) or os.__file__) + os.sep
        files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
        return any(isinstance(file, str) and file.endswith(".so") and not file.startswith(own) for file in files)

    def unfinished(self):
        """Is there an object whose end would be seen outside, besides files, which are written out?"""
        memo = self.memo
        for o in self.gc.get_objects():
            kind = type(o)
            if kind not in memo:
                memo[kind] = _finishing(kind)
            if memo[kind] and memo[kind](o):
                return True
        return False

    def ended_by(self):
        """The exit status, where it is certain."""
        if self.status is None and _fell_off(self.frame):
            return 0
        return self.status

    def leave(self):
        """The last exit handler."""
        status = self.ended_by()
        self.frame = None
        if self.clean and status is not None and self.pid == os.getpid():
            known = len(sys.modules) == self.modules or not self.foreign()
            if self.quick or known and not self.unfinished():
                self.hurry(status)
        self.memo.clear()  # the script's classes, and through them all that is the script's
        if self.frozen:
            # The collector must see again what was frozen, or files and objects in cycles would not be finished.
            self.gc.unfreeze()

    def hurry(self, status):
        for stream in (sys.stdout, sys.stderr):
            try:
                if stream is not None and not stream.closed:
                    stream.flush()
            except (OSError, ValueError, AttributeError):
                return  # the interpreter has words and a status for that
        _flush(self.unsaved + _open_files())
        self.tell(status)
        os._exit(status)

    def tell(self, status):
        """The server, before the kernel takes our memory apart; after all descriptors, or who waits for them could see us
        gone before they are."""
        fd = self.teller
        try:
            at = os.fstat(fd)
            if (at.st_dev, at.st_ino) != self.teller_is:
                return  # the script has put something else there
            if sys.version_info >= (3, 10):
                os.closerange(0, fd)  # close_range(2)
                os.closerange(fd + 1, 0x7fffffff)
            else:
                for other in map(int, os.listdir("/proc/self/fd")):
                    if other != fd:
                        try:
                            os.close(other)
                        except OSError:
                            pass  # the listing's own
            os.write(fd, b"W" + (status << 8).to_bytes(4, "big"))
        except (OSError, TypeError):
            pass  # it will see our end


def _fell_off(frame):
    """Did the script's outermost frame end by returning?"""
    import opcode
    at, code = frame.f_lasti, frame.f_code.co_code
    return 0 <= at < len(code) and opcode.opname[code[at]].startswith("RETURN_")


def _finishing(kind):
    """For a type: None, or a function that says whether one of its objects must be finished."""
    import types
    import weakref
    if issubclass(kind, weakref.ref):
        return _calls_back
    if kind is types.GeneratorType:
        return _is_suspended
    if kind in (types.CoroutineType, types.AsyncGeneratorType) or (kind.__module__, kind.__name__) in _FINISHING:
        return _always
    if not hasattr(kind, "__del__"):
        return None
    # Of these the finisher closes, which the end of the process does as well; if it is theirs.
    owners = {getattr(_owner(kind, name), "__module__", None) for name in ("__del__", "close")}
    return None if owners <= {"_io", "_socket", "socket", "ssl"} or kind.__module__ == "subprocess" else _always


def _owner(kind, name):
    return next((base for base in kind.__mro__ if name in base.__dict__), None)


# What they do is done by their memory's release, which is not to be seen from here.
_FINISHING = {("sqlite3", "Connection"), ("_gdbm", "gdbm"), ("_dbm", "dbm")}


def _always(_):
    return True


def _calls_back(reference):
    called = reference.__callback__
    if called is None or reference() is None:
        return False
    import types
    module = getattr(called, "__module__", None)
    return not isinstance(called, types.BuiltinFunctionType) and module not in _PLAIN_CALLBACKS


def _is_suspended(generator):
    frame = generator.gi_frame
    return frame is not None and getattr(generator, "gi_suspended", frame.f_lasti >= 0)


_PLAIN_CALLBACKS = {"weakref", "_weakrefset", "logging", "functools", "copy", "typing", "asyncio.events"}  # they forget an entry

_end = None
_sys_exit = sys.exit


class _Done:
    """Equal to our exit handler and to those behind it, which have run: unregister asks in the order of registration."""
    seen = False

    def __eq__(self, other):
        self.seen = self.seen or other is _leave
        return self.seen

    __hash__ = None


def _leave():
    """The last exit handler, whatever was registered before this module was loaded: it calls the others itself."""
    import atexit
    if _TAKES_OVER and _end is not None:
        atexit.unregister(_Done())
        try:
            atexit._run_exitfuncs()
        except BaseException:
            pass  # 3.8 and 3.9 have printed it, and raise it again
    if _end is not None:
        _end.leave()


# From 3.14 on the handlers that are about to run cannot be taken over.
_TAKES_OVER = sys.version_info < (3, 14)
_is_last = True

if _variable is not None:
    import atexit
    _is_last = _TAKES_OVER or atexit._ncallbacks() == 0
    atexit.register(_leave)
