#!/usr/bin/perl
use strict;
use warnings;
use Getopt::Std;
use FindBin;
use lib "$FindBin::Bin/lib";
use Words;

my %o = (n => 2, o => 'lm.txt');
getopts('n:o:', \%o);
my %count;
for my $line (Words::lines($ARGV[0])) {
	my @w = (('<s>') x ($o{n} - 1), @$line);
	$count{join ' ', @w[$_ .. $_ + $o{n} - 1]}++ for 0 .. $#w - $o{n} + 1;
}
open my $out, '>', $o{o} or die "$o{o}: $!\n";
print $out "$_\t$count{$_}\n" for sort keys %count;
close $out or die "$o{o}: $!\n";
