# The probe in Perl: initialises once, then does what its first argument says.  See languages.py.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Proc::Prefork::Interp;
use POSIX ();

BEGIN {
    my $init = $ENV{PROBE_INIT} // '';
    if ($init =~ /^exit (\d+)$/)   { exit $1 }
    if ($init =~ /^signal (\d+)$/) { kill $1, $$; sleep 10 }
    if ($init =~ /^sleep (\S+)$/)  { select undef, undef, undef, $1 }
    if ($init =~ /^run (.*)$/s)    { system $1 }
    if ($init =~ /^mark (.*)$/s)   { open my $f, '>>', $1; print $f "$$\n" }
}
my $module = eval { require ProbeModule; ProbeModule::version() } // 'none';
my $token = sprintf '%08x', int rand 2**32;
prefork_autoreload_also_check($ENV{PROBE_CHECK}) if $ENV{PROBE_CHECK};
prefork_initialisation_complete(split /[= ]/, $ENV{PROBE_OPTIONS} // '') unless ($ENV{PROBE_INIT} // '') eq 'never';

# The original library interrupts a script that is leaving.
END { $SIG{INT} = 'IGNORE' if $ENV{PROBE_PROTECTED} }

$| = 1;
splice @ARGV, 0, $ENV{PROBE_DROP} // 0;    # what the original puts in front
my ($what, @args) = @ARGV;
my %do = (
    args => sub { print join('', map { unpack('H*', $_) . "\n" } @args) },
    env  => sub { print join '', map {"$_=$ENV{$_}\0"} sort keys %ENV },
    exit => sub { exit $args[0] },
    fall => sub { },
    die  => sub { kill $args[0], $$; sleep 10 },
    cat  => sub { binmode STDIN; binmode STDOUT; $| = 0; local $/ = \65536; while (<STDIN>) { print } },
    line => sub { my $l = <STDIN>; print "got: ", $l // "nothing\n" },
    both => sub { print STDOUT "$args[0]\n"; print STDERR "$args[1]\n" },
    where   => sub { print POSIX::getcwd(), "\n" },
    umask   => sub { printf "%04o\n", umask },
    who     => sub { print "$token $$ $module\n" },
    name    => sub { print "$0\n" },
    limit   => sub { print `sh -c 'ulimit -n'` },
    nice    => sub { print getpriority(0, 0), "\n" },
    random  => sub { print rand, "\n" },
    tty     => sub { print join(' ', map { -t $_ ? 1 : 0 } *STDIN, *STDOUT, *STDERR), "\n" },
    fd      => sub { print defined POSIX::dup($args[0]) ? "open\n" : "closed\n" },
    writefd => sub { open my $f, '>&=', $args[0] or die; print $f $args[1]; close $f },
    closed  => sub { print STDERR defined POSIX::write(1, "x", 1) ? "written\n" : "refused\n" },
    ignored => sub { print +($SIG{$args[0]} // '') eq 'IGNORE' ? "yes\n" : "no\n" },
    sleep   => sub { print "ready\n"; select undef, undef, undef, $args[0]; print "slept\n" },
    trap    => sub {
        my ($signal, $code) = @args;
        $SIG{$signal} = sub { print "caught $signal\n"; exit $code };
        print "ready\n";
        select undef, undef, undef, 20;
    },
    background => sub {
        unless (fork) { open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null'; select undef, undef, undef, 0.5; open my $f, '>', $args[0]; POSIX::_exit(0) }
        exit 0;
    },
    child => sub { print `sh -c 'echo "\${PREFORK_INTERP-unset}"'` },
    file  => sub { open my $f, '>', $args[0]; print $f 'buffered'; },
);
($do{$what // ''} // die "probe: what is @ARGV?\n")->();
