package Words;
use strict;
use warnings;

sub lines
{
	my ($path) = @_;
	open my $in, '<', $path or die "$path: $!\n";
	my @all = map { [split] } <$in>;
	close $in;
	return @all;
}

1;
