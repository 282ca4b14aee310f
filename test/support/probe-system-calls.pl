# Makes the system calls that it reads, one a line: `NAME NUMBER ARGUMENT…`, and says `NAME ERRNO` of each (0 = it succeeded).
# An argument is a number, or `self` (this process), `zeros` (a page of them) or a text in quotes. Needs perl-base alone.
use strict;
use warnings;
$| = 1;
my $zeros = "\0" x 4096;
while (my $line = <STDIN>) {
  my ($name, $number, @words) = split ' ', $line;
  my @arguments = map { $_ eq 'self' ? $$ : $_ eq 'zeros' ? $zeros : /^"(.*)"$/ ? "$1\0" : /^0x/ ? hex : $_ + 0 } @words;
  my $parent = $$;
  $! = 0;
  my $answer = syscall($number + 0, @arguments);
  my $errno = $answer == -1 ? $! + 0 : 0;
  # A clone that was not refused.
  if ($$ != $parent) { require POSIX; POSIX::_exit(0) }
  print "$name $errno\n";
}
