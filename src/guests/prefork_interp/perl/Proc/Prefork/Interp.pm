# Proc::Prefork::Interp - pay a Perl script's start-up once: the script's side of prefork-interp.
#
#   setup: script initialises --prefork_initialisation_complete--> forks twice, exits
#     `-- child of a child: the interpreter that stays; its parent executes brood-interp, the server
#   server --F--> interpreter forks an executor --request--> it returns from the function above
#   server --R--> interpreter reaps one
#
# The protocol between server and interpreter: docs/interp.md.  Pure Perl, without any module until there is
# something to serve, so that a script which runs by itself pays for nothing.
package Proc::Prefork::Interp;

use strict;
use warnings;

our $VERSION = '0.1.0';
our @EXPORT = qw(prefork_initialisation_complete prefork_autoreload_also_check);

# Taken out of the environment at once: a program started during initialisation must not take it for its own.
my $variable = delete $ENV{PREFORK_INTERP};
my $script = $0;
my @also_check;
my $marked;        # the wrapper is ours
my ($executor, $teller, @teller_is) = (0);    # an executor's pid; its socket, and that socket's device and inode
my $leaves_quickly = 0;
my @text;    # mappings of program text
my @ignored_at_start = defined $variable ? grep { ($SIG{$_} // '') eq 'IGNORE' } keys %SIG : ();

sub import {
    my $to = caller;
    no strict 'refs';
    *{"${to}::$_"} = \&$_ for @EXPORT;
}

sub prefork_autoreload_also_check { push @also_check, @_; return }

my %defaults = (
    max_servers => 4, idle_timeout => 1_000_000, autoreload_inc => 1, autoreload_extra => [], max_errors => 100,
    log_facility => 'LOG_USER',
    spare => 1, prefault => 0, quick_exit => undef, warmup => undef, max_calls => 0, int_grace => 5, term_grace => 5,
);

sub prefork_initialisation_complete {
    my %o = (%defaults, @_);
    for (keys %o) { die "prefork_initialisation_complete: unknown option '$_'\n" unless exists $defaults{$_} }
    return unless defined $variable;
    my $given = parse_variable();
    my $server = server_program($given);
    $marked = $given->{mark};
    require POSIX;
    require Socket;
    learn_machine();
    refuse_threads();
    socketpair(my $mine, my $theirs, Socket::AF_UNIX(), Socket::SOCK_SEQPACKET(), 0)
        or die "prefork_initialisation_complete: socketpair: $!\n";
    detach($given, $server, $mine, $theirs);
    say_hello($mine, $given, \%o);
    $o{warmup}->() if $o{warmup};
    serve($mine, \%o);    # returns in executors only
    return;
}

# ---- what the wrapper said

my $given_at_load = defined $variable ? eval { parse_variable() } : undef;
set_cloexec($_, 1) for $given_at_load ? @{$given_at_load->{fds}} : ();

sub parse_variable {
    $variable =~ m{^v1,(\d+\.\d+)(,[^ ]*)? (\d+),(\d+),(\d+),(\d+)(?:,[^ ]*)?(?: (.*))?$}s
        or die "prefork_initialisation_complete: environment variable PREFORK_INTERP is malformed\n";
    my ($start, $marks, @fds, $more) = ($1, $2 // '', $3, $4, $5, $6);
    $more = $7 // '';
    return {
        start => $start, mark => scalar($marks =~ /,brood1(?:,|$)/), fds => [@fds[0 .. 3]],
        server => $more =~ /^server=(.*)$/s ? $1 : '',
    };
}

# From our wrapper, from the environment, or where we were installed.
sub server_program {
    my ($given) = @_;
    my @places = grep { defined && length } $given->{server}, $ENV{BROOD_INTERP};
    if (__FILE__ =~ m{^(.*/)share/brood/}) { push @places, "$1libexec/brood/brood-interp" }
    for (@places) { return $_ if -x }
    die "prefork_initialisation_complete: cannot find the server program brood-interp (looked at: @places)\n";
}

sub set_cloexec {
    my ($fd, $on) = @_;
    open my $h, '<&=', $fd or return;
    fcntl $h, 2, $on;    # F_SETFD
    # The handle must not close what is not its own.
    push @Proc::Prefork::Interp::kept, $h;
}

# ---- system calls that Perl has no name for

my ($recvmsg, $madvise, $pointer, $header);

sub learn_machine {
    my @generic = (212, 233);
    my %number = (
        x86_64 => [47, 28], aarch64 => \@generic, riscv64 => \@generic, loongarch64 => \@generic,
        (map { $_ => [372, 219] } qw(i386 i486 i586 i686 s390x)), arm => [297, 220], armv7l => [297, 220],
        powerpc64le => [342, 205], ppc64le => [342, 205],
    );
    require Config;
    my ($machine) = $Config::Config{archname} =~ /^([^-]+)/;
    ($recvmsg, $madvise) = @{$number{$machine} // []};
    $recvmsg //= eval { require 'sys/syscall.ph'; SYS_recvmsg() }
        // die "prefork_initialisation_complete: the number of recvmsg(2) on $machine is not known\n";
    $pointer = length(pack 'P', '') == 8 ? 'Q' : 'L';
    $header = length pack "${pointer}ll", 0, 0, 0;
}

# recvmsg(2): (bytes, descriptors...); an empty list at the end of the connection.
sub receive {
    my ($fd, $most) = @_;
    my $text = "\0" x $most;
    my $control = "\0" x ($header + 4 * 64);
    my $address = sub { unpack $pointer, pack 'P', $_[0] };
    my $iov = pack "$pointer$pointer", $address->($text), $most;
    my $message = pack "${pointer}L x![$pointer] $pointer$pointer$pointer$pointer L x![$pointer]", 0, 0,
        $address->($iov), 1, $address->($control), length $control, 0;
    my $n;
    do { $n = syscall $recvmsg, $fd, $message, 0x40000000 } while $n < 0 && $!{EINTR};    # MSG_CMSG_CLOEXEC
    return if $n <= 0;
    my $offset = length pack "${pointer}L x![$pointer] $pointer$pointer$pointer", (0) x 5;
    my $length = unpack "x$offset $pointer", $message;
    my @fds = $length > $header ? unpack 'l*', substr $control, $header, unpack($pointer, $control) - $header : ();
    return (substr($text, 0, $n), @fds);
}

sub refuse_threads {
    opendir my $d, '/proc/self/task' or return;
    my $n = grep { !/^\./ } readdir $d;
    die "prefork_initialisation_complete: $n threads run, which a fork would lose\n" if $n > 1;
}

# ---- the server

# Returns in the interpreter that stays.
sub detach {
    my ($given, $server, $mine, $theirs) = @_;
    my $fork = sub { fork // die "prefork_initialisation_complete: fork: $!\n" };
    { no warnings 'exec'; exec {''} '' }    # flushes every handle, which fork would double; see perlfunc
    POSIX::_exit(0) if $fork->();
    POSIX::setsid();
    if ($fork->()) {
        my $fd = fileno $theirs;
        fcntl $theirs, 2, 0;
        set_cloexec($_, 0) for @{$given->{fds}};
        exec {$server} 'brood-interp', 'serve', $fd, $script
            or warn "prefork_initialisation_complete: $server: $!\n";
        POSIX::_exit(127);
    }
    close $theirs;
    POSIX::close($_) for @{$given->{fds}};
    @Proc::Prefork::Interp::kept = ();
    return;
}

sub say_hello {
    my ($line, $given, $o) = @_;
    my ($listen, $call, $watchi, $watche) = @{$given->{fds}};
    my @files = ($script, @also_check, @{$o->{autoreload_extra}});
    push @files, grep { defined && !ref } values %INC if $o->{autoreload_inc};
    my $text = join '', map {"$_\0"} (
        "listen=$listen", "call=$call", "watchi=$watchi", "watche=$watche", "start=$given->{start}", "pid=$$",
        "script=$script", 'feat=cwd,end', ($given->{mark} ? 'mark=brood1' : ()),
        (map {"word=$_"} words_before_arguments()), (map {"file=$_"} @files),
        (map {"$_=$o->{$_}"}
            qw(max_servers idle_timeout max_errors log_facility spare max_calls int_grace term_grace)),
    );
    $text = pack('N', length $text) . $text;
    for (my $at = 0; $at < length $text; $at += 32768) { syswrite $line, substr $text, $at, 32768 }
    return;
}

# Of setup's own command line, up to and with the script.
sub words_before_arguments {
    open my $f, '<', '/proc/self/cmdline' or return;
    local $/ = "\0";
    my @words = <$f>;
    chomp @words;
    for my $i (1 .. $#words) { return @words[0 .. $i] if $words[$i] eq $script }
    return $words[0];
}

# The interpreter's whole life: fork, or reap.  Touches little, since each page touched is copied.
sub serve {
    my ($handle, $o) = @_;
    my $line = fileno $handle;
    my %child;
    open STDIN, '<', '/dev/null';
    open STDOUT, '>', '/dev/null';
    open STDERR, '>', '/dev/null';
    $0 = "$script [server]";
    my $served = 0;
    @text = mapped(qr{r-[x-]p .*(?:\.so|/bin/)});
    while (my ($text, $fd) = receive($line, 5)) {
        my ($what, $value) = unpack 'aN', $text;
        if ($what eq 'F') {
            my $pid = fork;
            if (defined $pid && $pid == 0) {
                close $handle;
                return execute($fd, $o);
            }
            POSIX::close($fd);
            if ($pid) {
                setpgrp $pid, $pid;
                $child{$pid} = 1;
            }
            POSIX::write($line, pack('aNN', 'F', $value, $pid // 0), 9);
            prepare_end($handle, $o) unless $served++;    # the first call does not wait for this
        } elsif ($what eq 'R') {
            waitpid $value, 0;
            delete $child{$value};
            POSIX::write($line, pack('aNN', 'R', $value, $?), 9);
        }
    }
    # The server has gone.  Spares see that themselves; services have lost their caller.
    kill 'INT', -$_ for keys %child;
    POSIX::_exit(0);
}

# ---- the end of an executor

# What an ordinary end costs is a look at every variable there is, for objects that want to be destroyed, and a write to
# most of them, each of which copies a page. So who has nothing to destroy leaves after its END blocks. Whether that is so:
# of classes with a destructor the number of references to their name tables is kept, which each object adds to; and
# which of them have objects at the end of initialisation is tried out, in a child whose destructors only say so.

my (@stashes, @keys, %known, %destructible, $modules);

sub prepare_end {
    my ($line, $o) = @_;
    return unless eval { require B; require IO::Handle; require Config; 1 };
    return if defined $o->{quick_exit} && !$o->{quick_exit};
    return if !$o->{quick_exit} && foreign_code();
    my $ends = B::end_av();
    if (ref $ends eq 'B::AV') { $ends = $ends->object_2svref }
    else { eval 'END { }'; $ends = B::end_av()->object_2svref; shift @$ends }
    look_around('main::', \%main::);
    return if !$o->{quick_exit} && something_lives($line, $ends);
    push @$ends, \&leave;
    $leaves_quickly = $o->{quick_exit} ? 2 : 1;
    for (values %destructible) { $_->[1] = Internals::SvREFCNT(%{$_->[0]}) }
    @keys = map { scalar %$_ } @stashes;
    $modules = scalar %INC;
    return;
}

# Compiled modules that are not Perl's own may count on the C library's exit handlers, and layers of files on their closing.
sub foreign_code {
    my $own = $Config::Config{archlibexp};
    no warnings 'once';
    return grep({ !m{^(?:\Q$own\E|/usr/lib/[^/]+/perl-base)/} } @DynaLoader::dl_shared_objects)
        || grep { m{^PerlIO/} && $_ ne 'PerlIO/scalar.pm' && $_ ne 'PerlIO/encoding.pm' } keys %INC;
}

# Every package, and those whose objects have a destructor that does something.
sub look_around {
    my ($name, $stash) = @_;
    push @stashes, $stash;
    $known{$name} = 1;
    note_class($name, $stash);
    for (grep { /::\z/ && $_ ne 'main::' } keys %$stash) {
        my $glob = \$stash->{$_};
        look_around(($name eq 'main::' ? '' : $name) . $_, *$glob{HASH}) if ref $glob eq 'GLOB' && *$glob{HASH};
    }
    return;
}

sub note_class {
    my ($name, $stash) = @_;
    my $class = substr $name, 0, -2;
    my $code = UNIVERSAL::can($class, 'DESTROY') || UNIVERSAL::can($class, 'AUTOLOAD') or return;
    $destructible{$class} = [$stash] unless does_nothing($code);
    return;
}

sub does_nothing {
    my ($code) = @_;
    my $cv = B::svref_2object($code);
    return $cv->GV->STASH->NAME =~ /^(?:Regexp|Digest::(?:MD5|SHA))\z/ if $cv->XSUB;    # free memory, no more
    return 0 if !$cv->START->isa('B::OP');
    for (my $op = $cv->START; $$op; $op = $op->next) {
        return 0 unless $op->name =~ /^(?:nextstate|dbstate|stub|leavesub|pushmark|lineseq)\z/;
    }
    return 1;
}

sub something_lives {
    my ($line, $ends) = @_;
    pipe my $from, my $to or return 1;
    my $pid = fork // return 1;
    if ($pid == 0) {
        close $line;
        @$ends = ();
        alarm 10;
        my $fd = POSIX::dup(fileno $to);
        no strict 'refs';
        no warnings;
        for (keys %destructible) { *{"${_}::DESTROY"} = sub { POSIX::write($fd, '!', 1) } }
        exit 0;
    }
    close $to;
    my $found = sysread $from, my $text, 1;
    waitpid $pid, 0;
    return $found || $?;
}

# false: perhaps there is something.
sub nothing_to_destroy {
    return 0 if !$leaves_quickly || (scalar(%INC) ne $modules && foreign_code());
    for my $i (0 .. $#stashes) {
        return 0 if scalar(%{$stashes[$i]}) ne $keys[$i] && !still_harmless($stashes[$i]);
    }
    for (values %destructible) { return 0 if Internals::SvREFCNT(%{$_->[0]}) > $_->[1] }
    return 1;
}

# Names were added: cached methods, most often. No package, and no destructor?
sub still_harmless {
    my ($stash) = @_;
    my $class = B::svref_2object($stash)->NAME;
    my $in = $class eq 'main' ? '' : "$class\::";
    return 0 if grep { /::\z/ && !$known{$in . $_} } keys %$stash;
    return exists $destructible{$class} || !(UNIVERSAL::can($class, 'DESTROY') || UNIVERSAL::can($class, 'AUTOLOAD'));
}

# The last END block. Perl itself waits for programs behind pipes that are still open: so who has children ends ordinarily.
sub leave {
    return unless $executor == $$;
    my $status = $?;
    my $quickly = $leaves_quickly == 2 || (nothing_to_destroy() && waitpid(-1, 1) == -1);    # WNOHANG
    finish($status) if $quickly;
    $? = $status;
    return;
}

sub finish {
    my ($status) = @_;
    if (defined fileno STDOUT && !IO::Handle::flush(*STDOUT{IO})) {    # as perl_destruct() has it
        print STDERR "Unable to flush stdout: $!\n";
        $status ||= 1;
    }
    { no warnings 'exec'; exec {''} '' }    # flushes every handle; see perlfunc
    my $told = pack 'aN', 'W', (($status // 0) & 255) << 8;
    return unless defined $status;
    if ($teller && join(' ', @teller_is) eq join(' ', (POSIX::fstat($teller))[0, 1])) {
        # Who waits for our descriptors, or for us, shall not see one before the other.
        syscall(436, 0, $teller - 1, 0) == 0 && syscall(436, $teller + 1, 0xffffffff, 0) == 0    # close_range(2)
            && POSIX::write($teller, $told, 5);
    }
    POSIX::_exit($status & 255);
}

# ---- an executor

# Page tables of program text are not copied by fork: so a child would take a fault for each piece of it that it comes to.
# A few calls map them all. And a spare may take further faults while it waits, those for the pages that it would copy when it
# writes to them, 1 MiB at a time, until its call has come: option prefault, which only who ends ordinarily gains from.
# MADV_POPULATE_READ, MADV_POPULATE_WRITE: madvise(2), Linux 5.14; before that nothing happens.
sub mapped {
    my ($wanted) = @_;
    return unless $madvise && open my $maps, '<', '/proc/self/maps';
    my @ranges = map { /^([0-9a-f]+)-([0-9a-f]+) $wanted/ ? [hex $1, hex($2) - hex $1] : () } <$maps>;
    close $maps;
    return @ranges;
}

sub map_text {
    for (@text) { syscall $madvise, @$_, 22 }
    return;
}

sub prefault {
    my ($socket, $mebibytes) = @_;
    return unless $mebibytes;
    my $step = 1 << 20;
    my $left = $mebibytes * $step;
    my $called = '';
    vec($called, $socket, 1) = 1;
    for my $range (mapped(qr/rw/)) {
        my ($at, $end) = ($range->[0], $range->[0] + $range->[1]);
        for (; $at < $end && $left > 0; $at += $step, $left -= $step) {
            return if select my $now = $called, undef, undef, 0;
            my $n = $end - $at < $step ? $end - $at : $step;
            return if syscall($madvise, $at, $n, 23) < 0 && $!{EINVAL};
        }
    }
    return;
}

sub execute {
    my ($socket, $o) = @_;
    map_text();
    setpgrp 0, 0;
    $0 = $script;
    rehearse();
    prefault($socket, $o->{prefault});
    my ($head, @fds) = receive($socket, 4);
    POSIX::_exit(0) unless @fds >= 3;
    my $left = unpack 'N', $head;
    my $text = '';
    while ($left > 0) {
        my $n = POSIX::read($socket, my $piece, $left);
        POSIX::_exit(0) unless $n;
        $text .= $piece;
        $left -= $n;
    }
    my ($attributes, $environment, $arguments) = cut($text);
    POSIX::write($socket, 'T', 1);
    keep_teller($socket, $attributes);
    POSIX::close($socket);
    begin(\@fds, $attributes, $environment, $arguments);
    $executor = $$;
    our $quick = bless [], 'Proc::Prefork::Interp::Quick' if $o->{quick_exit} && !$leaves_quickly;
    $? = 0;
    $! = 0;
    return;
}

# A page that was the interpreter's costs a fault when it is first written, and these faults are most of a short call. So a
# spare plays a call to itself while it waits: what begins one, and what ends one as far as it can be called back.
sub rehearse {
    my @fds = map { POSIX::dup(0) } 0 .. 2;
    receive(-1, 4);
    my ($attributes, $environment, $arguments) =
        cut(join '', ($marked ? sprintf("umask=%04o\0", umask) : ()), "\0", (map {"$_=$ENV{$_}\0"} keys %ENV), "\0", "\0");
    begin(\@fds, $attributes, $environment, $arguments);
    keep_teller(0, ['fd=0:3']);
    POSIX::close($teller) if $teller;
    nothing_to_destroy();
    finish();
    return;
}

sub begin {
    my ($fds, $attributes, $environment, $arguments) = @_;
    take_descriptors($fds, $attributes);
    take_environment($environment);
    take_attributes($fds, $attributes);
    @ARGV = @$arguments;
    srand;
    return;
}

# The socket stays, out of the way: on it the server is told the status. Where it cannot be, the server waits for the end.
sub keep_teller {
    my ($socket, $attributes) = @_;
    my $above = 63;    # the last that a small table of descriptors holds
    for (@$attributes) { $above = $1 + 1 if /^fd=\d+:(\d+)$/ && $1 >= $above }
    $teller = undef;
    if (open my $h, '<&', $socket) {
        $teller = fcntl $h, 1030, $above;    # F_DUPFD_CLOEXEC
        close $h;
    }
    @teller_is = (POSIX::fstat($teller))[0, 1] if $teller;
    return;
}

# Three lists of strings; the first two end with an empty one.
sub cut {
    my ($text) = @_;
    my @strings = split /\0/, $text, -1;
    pop @strings;
    my @lists = ([], []);
    for my $list (@lists) {
        while (@strings) {
            my $s = shift @strings;
            last if $s eq '';
            push @$list, $s;
        }
    }
    return (@lists, \@strings);
}

# 0, 1, 2 are opened anew, so that buffering follows from what they are now; the script's layers stay.
sub take_descriptors {
    my ($fds, $attributes) = @_;
    make_room($fds, $attributes);
    my @modes = ('<&=', '>&=', '>&=');
    my @handles = (*STDIN{IO}, *STDOUT{IO}, *STDERR{IO});
    for my $i (0 .. 2) {
        my @layers = PerlIO::get_layers($handles[$i], output => $i > 0);
        close $handles[$i];
        POSIX::dup2($fds->[$i], $i);
        open $handles[$i], $modes[$i], $i;
        splice @layers, 0, 2;
        binmode $handles[$i], join '', map {":$_"} @layers if @layers;
    }
    for (@$attributes) {
        /^fd=(\d+):(\d+)$/ or next;
        POSIX::dup2($fds->[$1], $2);
    }
}

# All received ones above every place, or one would be overwritten by another's coming.
sub make_room {
    my ($fds, $attributes) = @_;
    my $above = 3;
    for (@$attributes) { $above = $1 + 1 if /^fd=\d+:(\d+)$/ && $1 >= $above }
    for (@$fds) {
        next if $_ >= $above;
        open my $h, '<&=', $_ or next;
        $_ = fcntl $h, 1030, $above;    # F_DUPFD_CLOEXEC
        close $h;
    }
}

sub take_environment {
    my ($entries) = @_;
    my %new = map { split /=/, $_, 2 } @$entries;
    exists $new{$_} or delete $ENV{$_} for keys %ENV;
    for (keys %new) { $ENV{$_} = $new{$_} unless defined $ENV{$_} && $ENV{$_} eq $new{$_} }
}

sub take_attributes {
    my ($fds, $attributes) = @_;
    my (%ignored, $blocked);
    for (@$attributes) {
        if (/^umask=([0-7]+)$/) { umask oct $1 }
        elsif (/^cwd=(\d+)$/) { chdir "/proc/self/fd/$fds->[$1]" }
        elsif (/^sigign=([0-9a-f]+)$/) { %ignored = map { $_ => 1 } signals($1) }
        elsif (/^sigblk=([0-9a-f]+)$/) { $blocked = $1 }
    }
    if (@$attributes) {    # an original wrapper says nothing of its caller
        POSIX::sigprocmask(POSIX::SIG_SETMASK(), POSIX::SigSet->new($blocked ? signal_numbers($blocked) : ()));
    }
    for (qw(INT PIPE CHLD), (@$attributes ? @ignored_at_start : ()), keys %ignored) {
        if ($ignored{$_}) { $SIG{$_} = 'IGNORE' }
        elsif (defined $SIG{$_}) { $SIG{$_} = 'DEFAULT' }
    }
    for (@$fds) { POSIX::close($_) }
}

sub signal_numbers {
    my ($hex) = @_;
    my $set = hex $hex;
    return grep { $set >> ($_ - 1) & 1 } 1 .. 64;
}

sub signals {
    require Config;
    my @names = split ' ', $Config::Config{sig_name};
    return @names[signal_numbers(@_)];
}

# quick_exit where there is no module B: without destroying what the process's end destroys anyway.
package Proc::Prefork::Interp::Quick;

sub DESTROY { Proc::Prefork::Interp::finish($?) if ${^GLOBAL_PHASE} eq 'DESTRUCT' && $executor == $$ }

1;
