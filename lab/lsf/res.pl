# perl res.pl, orders on descriptor 3: what Node cannot do for a job of the stand-in LSF.
# It runs as the job's user already. It leads a process group of its own inside its parent's session (in a session of its own,
# SIGTSTP would not stop it), takes the job's environment (no privileged process ever sees that), and waits for the command.
# Orders, each ended by a zero byte: directory, standard input, output, error ("-" keeps the descriptor), number of arguments,
# arguments, then NAME=value to the end. The answer is one line, "started", when signals can be sent to the group.
use strict;
use POSIX ();

open(my $channel, '+<&=', 3) or die "res: no orders: $!\n";
my @orders;
{
  local $/ = "\0";
  while (defined(my $order = <$channel>)) {
    chomp $order;
    last if $order eq 'end of orders';
    push @orders, $order;
  }
}
my ($directory, $in, $out, $err, $count) = splice @orders, 0, 5;
my @command = splice @orders, 0, $count;
%ENV = map { split /=/, $_, 2 } @orders;
$ENV{LS_JOBPID} = $$ if exists $ENV{LS_JOBPID};

setpgrp(0, 0);
umask 0022;
chdir $directory or chdir '/tmp';
open(STDIN, '<', $in) or die "res: $in: $!\n" if $in ne '-';
open(STDOUT, '>>', $out) or die "res: $out: $!\n" if $out ne '-';
open(STDERR, '>>', $err) or die "res: $err: $!\n" if $err ne '-';

# The group is signalled as a whole: res has to outlive what ends its command, to tell how it ended.
my @signals = qw(HUP INT QUIT TERM USR1 USR2 TSTP TTIN TTOU ALRM XCPU WINCH);
$SIG{$_} = sub { } for @signals;
# A signal that comes before the command has its own dispositions waits for them.
my $all = POSIX::SigSet->new;
my $before = POSIX::SigSet->new;
$all->fillset;
POSIX::sigprocmask(POSIX::SIG_BLOCK(), $all, $before);
my $child = fork;
die "res: fork: $!\n" unless defined $child;
if ($child == 0) {
  $SIG{$_} = 'DEFAULT' for @signals;
  POSIX::sigprocmask(POSIX::SIG_SETMASK(), $before);
  close $channel;
  exec { $command[0] } @command;
  print STDERR "$command[0]: Command not found.\n";
  POSIX::_exit(127);
}
POSIX::sigprocmask(POSIX::SIG_SETMASK(), $before);
syswrite $channel, "started\n";
close $channel;
while (waitpid($child, 0) == -1 && $!{EINTR}) { }
POSIX::_exit(($? & 127) ? 128 + ($? & 127) : $? >> 8);
