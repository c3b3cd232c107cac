use strict;
use warnings;

open my $out, '>', 'entropy.txt' or die $!;
for my $path (@ARGV) {
	open my $in, '<', $path or die "$path: $!\n";
	my ($n, $h, @c) = (0, 0);
	while (<$in>) {
		my (undef, $k) = split /\t/;
		push @c, $k;
		$n += $k;
	}
	$h -= $_ / $n * log($_ / $n) / log 2 for @c;
	printf $out "%s %.5f\n", $path, $h;
}
close $out;
