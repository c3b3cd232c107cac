# Sentences about two subjects, with words of both.
BEGIN {
	split("goal match team score player ball win league", sport)
	split("vote party law minister budget senate bill court", state)
	split("the a of and said today was in big new", common)
	srand(seed)
	for (i = 0; i < n; i++) {
		kind = rand() < 0.5
		line = kind ? "__label__sport" : "__label__state"
		for (k = 0; k < 9; k++) {
			r = rand()
			w = int(rand() * 8) + 1
			if (r < 0.5)
				line = line " " common[int(rand() * 10) + 1]
			else if ((r < 0.9) == kind)
				line = line " " sport[w]
			else
				line = line " " state[w]
		}
		print line
	}
}
