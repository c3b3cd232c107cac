/* t_learn.c - models derived from what commands were seen to do
 *
 * Each lesson: sightings, the model they teach to the letter, and how that
 * model binds a command that nobody has seen.  `uses` is left out of what is
 * compared; t_learned.c looks at it.
 */
#include "learn_rig.h"

struct lesson {
	const char *about;
	struct sight seen[5];
	const char *model;
	const char *other, *binds;      /* NULL: no more to ask */
};

static const struct lesson arguments[] = {
	{ "an argparse trainer: files by options, a seed in a name",
	  { { "python3 train.py --data data/x.csv --seed 7 --out out/m.npz",
	      "r:train.py r:common.py r:data/x.csv w:out/m.npz w:out/log-7.txt d:out l:." } },
	  "python3 train.py --data=@in --seed=@ --out=@out\n"
	  "\talso\tcommon.py\n"
	  "\tmakes\t{out:dir}/log-{seed}.txt\n",
	  "python3 train.py --seed 8 --data=b.csv --out n/m.npz",
	  "<train.py <b.csv <common.py >n/m.npz >n/log-8.txt" },
	{ "svm-train: positionals, options of one letter",
	  { { "svm-train -s 0 -c 10 -q heart.scale heart.model",
	      "r:heart.scale w:heart.model" } },
	  "svm-train @in @out -s=@ -c=@ -q\n",
	  "svm-train -c 1 -s 0 -q iris.scale iris.model", "<iris.scale >iris.model" },
	{ "svm-predict: two read, one written",
	  { { "svm-predict heart.t heart.model heart.out", "r:heart.t r:heart.model w:heart.out" } },
	  "svm-predict @in @in @out\n",
	  "svm-predict a b c", "<a <b >c" },
	{ "liblinear: the model called after the data",
	  { { "liblinear-train -s 2 data/heart", "r:data/heart w:heart.model" } },
	  "liblinear-train @in -s=@\n\tmakes\t{1:base}.model\n",
	  "liblinear-train -s 2 data/iris", "<data/iris >iris.model" },
	{ "a value joined to its letter",
	  { { "fit -j4 -odir/m.bin -l0.5 d.csv", "r:d.csv w:dir/m.bin" } },
	  "fit @in -j=@ -o=@out -l=@\n",
	  "fit -j8 -oother/k.bin -l 0.1 e.csv", "<e.csv >other/k.bin" },
	{ "fasttext: a sub-command, long options with one dash, a prefix",
	  { { "fasttext supervised -input c.txt -output m -lr 0.5 -epoch 5",
	      "r:c.txt w:m.bin w:m.vec" } },
	  "fasttext supervised -input=@in -output=@ -lr=@ -epoch=@\n"
	  "\tmakes\t{output}.bin {output}.vec\n",
	  "fasttext supervised -input d.txt -output models/k -lr 0.1 -epoch 9",
	  "<d.txt >models/k.bin >models/k.vec" },
	{ "xgboost: what its settings say stays as it was",
	  { { "xgboost train.conf eta=0.3 model^out=out/a.model",
	      "r:train.conf r:data/train.txt r:data/test.txt w:out/a.model" } },
	  "xgboost @in eta=@ model_out=@out\n\talso\tdata/test.txt data/train.txt\n",
	  "xgboost train.conf eta=0.1 model^out=out/b.model",
	  "<train.conf <data/test.txt <data/train.txt >out/b.model" },
	{ "xgboost: an output that the settings name binds to them",
	  { { "xgboost train.conf eta=0.3", "r:train.conf r:data/train.txt w:final.model" } },
	  "xgboost train.conf eta=@\n\talso\tdata/train.txt train.conf\n\tmakes\tfinal.model\n",
	  "xgboost other.conf eta=0.3", "none: no model is for xgboost\n" },
	{ "xgboost: a number with zeros before it",
	  { { "xgboost train.conf num^round=20 seed=1", "r:train.conf r:d.txt w:0020.model" } },
	  "xgboost @in num_round=@ seed=@\n\talso\td.txt\n\tmakes\t{num_round:04}.model\n",
	  "xgboost train.conf num^round=5 seed=2", "<train.conf <d.txt >0005.model" },
	{ "hydra: keys, added keys, a value with a dot",
	  { { "python3 train.py model=cnn +lr=0.1 data.path=d/x.npz",
	      "r:train.py r:conf/cnn.yaml r:conf/config.yaml r:d/x.npz w:out/cnn-lr0.1.pt" } },
	  "python3 train.py model=@ +lr=@ data.path=@in\n"
	  "\talso\tconf/config.yaml conf/{model}.yaml\n"
	  "\tmakes\tout/{model}-lr{lr}.pt\n",
	  "python3 train.py model=mlp +lr=0.01 data.path=d/y.npz",
	  "<train.py <d/y.npz <conf/config.yaml <conf/mlp.yaml >out/mlp-lr0.01.pt" },
	{ "lists of paths with commas",
	  { { "python3 join.py --in a.csv,b.csv --out c.csv", "r:join.py r:a.csv r:b.csv w:c.csv" } },
	  "python3 join.py --in=@in, --out=@out\n",
	  "python3 join.py --in x,y,z --out o", "<join.py <x <y <z >o" },
	{ "several files behind one option",
	  { { "python3 mean.py --files p1.npz p2.npz --out m.npz",
	      "r:mean.py r:p1.npz r:p2.npz w:m.npz" } },
	  "python3 mean.py --files=@in... --out=@out\n",
	  "python3 mean.py --files a b c --out o", "<mean.py <a <b <c >o" },
	{ "many positionals, the last one written",
	  { { "python3 mean.py p1.npz p2.npz p3.npz m.npz",
	      "r:mean.py r:p1.npz r:p2.npz r:p3.npz w:m.npz" } },
	  "python3 mean.py @in... @out\n",
	  "python3 mean.py a b c d o", "<mean.py <a <b <c <d >o" },
	{ "a switch at the end is no option with a value",
	  { { "python3 t.py --fast in.csv out.csv", "r:t.py r:in.csv w:out.csv" },
	    { "python3 t.py in.csv out.csv --fast", "r:t.py r:in.csv w:out.csv" } },
	  "python3 t.py @in @out --fast\n",
	  "python3 t.py --fast a b", "<t.py <a >b" },
	{ "a folder that is listed, one that is made",
	  { { "Rscript fit.R --dir data/raw --res res/a",
	      "r:fit.R l:data/raw r:data/raw/1.csv r:data/raw/2.csv d:res m:res/a "
	      "w:res/a/m.rds w:res/a/p.csv a:.Rprofile" } },
	  "Rscript fit.R --dir=@in/ --res=@out/\n\toptional\t.Rprofile\n",
	  "Rscript fit.R --dir data/b --res res/b",
	  "<fit.R </data/b <?.Rprofile >/res/b" },
	{ "a data file outside the project is an input",
	  { { "python3 t.py --data /srv/x/d.csv --out m", "r:t.py r:/srv/x/d.csv w:m" } },
	  "python3 t.py --data=@in --out=@out\n",
	  "python3 t.py --data /srv/x/e.csv --out n", "<t.py </srv/x/e.csv >n" },
	{ 0 }
};

static const struct lesson paths[] = {
	{ "a folder given by its name alone",
	  { { "python3 t.py --data data --fold 2 --out m2.pt",
	      "r:t.py d:data r:data/fold2.csv r:data/names.txt w:m2.pt" } },
	  "python3 t.py --data=@ --fold=@ --out=@out\n"
	  "\talso\t{data}/fold{fold}.csv {data}/names.txt\n",
	  "python3 t.py --data d2 --fold 3 --out m3.pt",
	  "<t.py <d2/fold3.csv <d2/names.txt >m3.pt" },
	{ "a run directory called by an option",
	  { { "python3 t.py --name a --epochs 2",
	      "r:t.py m:runs m:runs/a m:runs/a/ckpt w:runs/a/ckpt/1.pt w:runs/a/ckpt/2.pt "
	      "w:runs/a/metrics.json" } },
	  "python3 t.py --name=@ --epochs=@\n\tmakes\truns/{name}/\n",
	  "python3 t.py --name b --epochs 9", "<t.py >/runs/b/" },
	{ "a folder that many write to is none of one of them",
	  { { "python3 t.py --out out --seed 3", "r:t.py m:out w:out/model-3.npz" } },
	  "python3 t.py --out=@ --seed=@\n\tmakes\t{out}/model-{seed}.npz\n",
	  "python3 t.py --out out --seed 4", "<t.py >out/model-4.npz" },
	{ "folders in folders, each called by a value",
	  { { "python3 t.py model=cnn opt.lr=0.1 seed=3",
	      "r:t.py m:out m:out/cnn m:out/cnn/lr=0.1,seed=3 m:out/cnn/lr=0.1,seed=3/.hydra "
	      "w:out/cnn/lr=0.1,seed=3/.hydra/c.yaml w:out/cnn/lr=0.1,seed=3/w.npy" } },
	  "python3 t.py model=@ opt.lr=@ seed=@\n"
	  "\tmakes\tout/{model}/lr={opt.lr},seed={seed}/\n",
	  "python3 t.py model=mlp opt.lr=0.2 seed=4", "<t.py >/out/mlp/lr=0.2,seed=4/" },
	{ "zeros before a seed",
	  { { "python3 t.py --seed 7", "r:t.py w:out/run-007.pt" } },
	  "python3 t.py --seed=@\n\tmakes\tout/run-{seed:03}.pt\n",
	  "python3 t.py --seed 12", "<t.py >out/run-012.pt" },
	{ "two equal values, each beside its name",
	  { { "python3 t.py --seed 3 --fold 3", "r:t.py r:folds/3.csv w:out/fold3-seed3.pt" },
	    { "python3 t.py --seed 4 --fold 3", "r:t.py r:folds/3.csv w:out/fold3-seed4.pt" } },
	  "python3 t.py --seed=@ --fold=@\n\talso\tfolds/{fold}.csv\n"
	  "\tmakes\tout/fold{fold}-seed{seed}.pt\n",
	  "python3 t.py --seed 1 --fold 2", "<t.py <folds/2.csv >out/fold2-seed1.pt" },
	{ "two equal values without a name beside them: the second run decides",
	  { { "python3 t.py --a 3 --b 3", "r:t.py w:out/3.pt" },
	    { "python3 t.py --a 3 --b 5", "r:t.py w:out/5.pt" } },
	  "python3 t.py --a=@ --b=@\n\tmakes\tout/{b}.pt\n",
	  "python3 t.py --a 1 --b 2", "<t.py >out/2.pt" },
	{ "a path from the environment",
	  { { "RUN=r1 LR=0.1 python3 t.py", "r:t.py m:runs m:runs/r1 w:runs/r1/lr0.1.pt" } },
	  "python3 t.py\n\tmakes\t'runs/{$RUN}/lr{$LR}.pt'\n\tenv\tLR RUN\n",
	  "RUN=r2 LR=0.5 python3 t.py", "<t.py >runs/r2/lr0.5.pt $RUN $LR" },
	{ "an output beside another, called after it",
	  { { "python3 t.py --out out/m-1.npz", "r:t.py w:out/m-1.npz w:out/m-1.json" } },
	  "python3 t.py --out=@out\n\tmakes\t{out:stem}.json\n",
	  "python3 t.py --out k/n.npz", "<t.py >k/n.npz >k/n.json" },
	{ "an output called after an input",
	  { { "python3 t.py data/iris.csv", "r:t.py r:data/iris.csv w:models/iris.pkl" } },
	  "python3 t.py @in\n\tmakes\tmodels/{1:base:stem}.pkl\n",
	  "python3 t.py data/wine.csv", "<t.py <data/wine.csv >models/wine.pkl" },
	{ "a version in a fixed name is no value",
	  { { "python3 t.py --layers 2 --out m", "r:t.py r:lib2.py r:cfg/v2.yaml w:m" } },
	  "python3 t.py --layers=@ --out=@out\n\talso\tcfg/v2.yaml lib2.py\n",
	  "python3 t.py --layers 3 --out n", "<t.py <cfg/v2.yaml <lib2.py >n" },
	{ "modules are constants until a second run says otherwise",
	  { { "python3 t.py --model cnn --out a.pt", "r:t.py r:models/cnn.py w:a.pt" },
	    { "python3 t.py --model mlp --out b.pt", "r:t.py r:models/mlp.py w:b.pt" } },
	  "python3 t.py --model=@ --out=@out\n\talso\tmodels/{model}.py\n",
	  "python3 t.py --model gru --out c.pt", "<t.py <models/gru.py >c.pt" },
	{ "from below, what lies above is named from the root",
	  { { "(exp) python3 ../train.py --seed 1", "r:train.py r:lib.py r:exp/c.yaml w:exp/m1.pt" } },
	  "python3 train.py --seed=@\n\talso\tc.yaml {root}/lib.py\n"
	  "\tmakes\tm{seed}.pt\n", NULL, NULL },
	{ "two folders to run in: what moves with them moves",
	  { { "(a) python3 ../train.py", "r:train.py r:lib.py r:a/c.yaml w:a/m.pt" },
	    { "(b) python3 ../train.py", "r:train.py r:lib.py r:b/c.yaml w:b/m.pt" } },
	  "python3 train.py\n\talso\tc.yaml {root}/lib.py\n\tmakes\tm.pt\n",
	  "(c) python3 ../train.py",
	  "<../train.py <c.yaml <" ROOT "/lib.py >m.pt" },
	{ "an option that may be absent, and what its absence means",
	  { { "python3 t.py --seed 3 --out a", "r:t.py r:f/3.csv w:a" },
	    { "python3 t.py --out b", "r:t.py r:f/0.csv w:b" } },
	  "python3 t.py [--seed=@=0] --out=@out\n\talso\tf/{seed}.csv\n",
	  "python3 t.py --out c", "<t.py <f/0.csv >c" },
	{ 0 }
};

static const struct lesson merges[] = {
	{ "a new option is taken in",
	  { { "python3 t.py --seed 1 --out a", "r:t.py w:a" },
	    { "python3 t.py --seed 1 --lr 0.1 --out b", "r:t.py w:b" } },
	  "python3 t.py --seed=@ --out=@out [--lr=@]\n",
	  "python3 t.py --seed 1 --lr 3 --out c", "<t.py >c" },
	{ "an option that was always given is asked for",
	  { { "python3 t.py --fast --out a", "r:t.py w:a" } },
	  "python3 t.py --fast --out=@out\n",
	  "python3 t.py --out c",
	  "none: learned it: `python3 t.py` does not match: --fast is missing, which was there "
	  "each time\n" },
	{ "a switch that adds an output makes two patterns",
	  { { "python3 t.py --seed 1", "r:t.py w:m1.pt" },
	    { "python3 t.py --seed 2 --save", "r:t.py w:m2.pt w:all2.csv" } },
	  "python3 t.py --seed=@\n\tmakes\tm{seed}.pt\n"
	  "python3 t.py --seed=@ --save\n\tmakes\tall{seed}.csv m{seed}.pt\n",
	  "python3 t.py --save --seed 3", "<t.py >all3.csv >m3.pt" },
	{ "what one way of calling reads is no input of the other",
	  { { "xgboost b.conf eta=0.1 model^out=m-0.1.json", "r:b.conf r:train.txt w:m-0.1.json" },
	    { "xgboost b.conf task=pred model^in=m-0.1.json name^pred=p-0.1.txt",
	      "r:b.conf r:test.txt r:m-0.1.json w:p-0.1.txt" } },
	  "xgboost @in eta=@ model_out=@out\n\talso\ttrain.txt\n"
	  "xgboost @in task=@ model_in=@in name_pred=@out\n\talso\ttest.txt\n",
	  "xgboost b.conf task=pred model^in=m-3.json name^pred=p-3.txt",
	  "<m-3.json <b.conf <test.txt >p-3.txt" },
	{ "svm-scale: the ranges written, then read",
	  { { "svm-scale -l -1 -u 1 -s range.txt train.svm", "r:train.svm w:range.txt" },
	    { "svm-scale -r range.txt test.svm out.svm", "r:test.svm r:range.txt w:out.svm" } },
	  "svm-scale @in @out -r=@in\nsvm-scale @in -l=@ -u=@ -s=@out\n",
	  "svm-scale -l 0 -u 1 -s r.txt a.svm", "<a.svm >r.txt" },
	{ "svm-train: the model's name given or not",
	  { { "svm-train -q -c 2 -g 0.1 t.scale model-2", "r:t.scale w:model-2" },
	    { "svm-train -q -t 0 -c 1 t.scale", "r:t.scale w:t.scale.model" } },
	  "svm-train @in -q -t=@ -c=@\n\tmakes\t{1}.model\nsvm-train @in @out -q -c=@ -g=@\n",
	  "svm-train -q -t 0 -c 1 u.scale", "<u.scale >u.scale.model" },
	{ "sub-commands are patterns of their own",
	  { { "python3 cli.py train d.csv m.pt", "r:cli.py r:d.csv w:m.pt" },
	    { "python3 cli.py eval m.pt", "r:cli.py r:m.pt w:eval.json" } },
	  "python3 cli.py eval @in\n\tmakes\teval.json\n"
	  "python3 cli.py train @in @out\n",
	  "python3 cli.py eval k.pt", "<cli.py <k.pt >eval.json" },
	{ "an argument that is a file now is read if it is there",
	  { { "python3 t.py --resume none --out a", "r:t.py a:none w:a" },
	    { "python3 t.py --resume a --out b", "r:t.py r:a w:b" } },
	  "python3 t.py --resume=@ --out=@out\n\toptional\t{resume}\n",
	  "python3 t.py --resume b --out c", "<t.py <?b >c" },
	{ "a value that a file happens to be called by is any value",
	  { { "python3 t.py --name run --out a", "r:t.py w:a" },
	    { "python3 t.py --name label --out b", "r:t.py n:label w:b" } },
	  "python3 t.py --name=@any --out=@out\n",
	  "python3 t.py --name label --out c", "<t.py >c" },
	{ "a file that one run of several read is read where a value names it",
	  { { "python3 t.py --name label --out a", "r:t.py n:label w:a" },
	    { "python3 t.py --name some.txt --out b", "r:t.py r:some.txt w:b" } },
	  "python3 t.py --name=@any --out=@out\n\toptional\t{name}\n",
	  "python3 t.py --name more.txt --out c", "<t.py <?more.txt >c" },
	{ "a log that each run adds to",
	  { { "python3 t.py --log log.csv --seed 1", "r:t.py u:log.csv" } },
	  "python3 t.py --log=@ --seed=@\n\tupdates\t{log}\n",
	  "python3 t.py --log b.csv --seed 2", "<t.py <?b.csv >b.csv +b.csv" },
	{ "caches, and what Python looks for, count for nothing",
	  { { "python3 pkg/t.py --out m",
	      "r:pkg/t.py s:pkg/util.py r:pkg/__pycache__/util.cpython-311.pyc l:pkg a:pyvenv.cfg "
	      "m:pkg/__pycache__ w:pkg/__pycache__/b.cpython-311.pyc a:pkg/x.abi3.so a:opt.yaml w:m" } },
	  "python3 pkg/t.py --out=@out\n\talso\tpkg/util.py\n\toptional\topt.yaml\n",
	  "python3 pkg/t.py --out n", "<pkg/t.py <pkg/util.py <?opt.yaml >n" },
	{ "of a virtual environment the packages that were used",
	  { { "python3 t.py --out m",
	      "r:t.py r:.venv/pyvenv.cfg l:.venv/lib/python3.11/site-packages s:.venv/bin/python "
	      "r:.venv/lib/python3.11/site-packages/np/__init__.py l:src r:src/kit/__init__.py "
	      "r:.venv/lib/python3.11/site-packages/np/core/a.py "
	      "r:.venv/lib/python3.11/site-packages/six.py d:.venv w:m" } },
	  "python3 t.py --out=@out\n\talso\t.venv/bin/python "
	  ".venv/lib/python3.11/site-packages/np/ \\\n"
	  "\t\t.venv/lib/python3.11/site-packages/six.py .venv/pyvenv.cfg \\\n"
	  "\t\tsrc/kit/__init__.py\n", NULL, NULL },
	{ "a wrapper and what it is to run",
	  { { "torchrun --nproc-per-node=2 train.py --lr 0.1 --out m", "r:train.py w:m" } },
	  "torchrun train.py --nproc-per-node=@ --lr=@ --out=@out\n",
	  "torchrun --nproc-per-node=4 train.py --lr 0.5 --out n", "<train.py >n" },
	{ "a module, its options behind it",
	  { { "python3 -m pkg.train --out m", "r:pkg/__init__.py r:pkg/train.py w:m" } },
	  "python3 -m pkg.train --out=@out\n\talso\tpkg/__init__.py pkg/train.py\n", NULL, NULL },
	{ "a program of the project",
	  { { "./fit --seed 3", "e:fit r:d.bin w:m3" } },
	  "./fit --seed=@\n\talso\td.bin\n\tmakes\tm{seed}\n",
	  "./fit --seed 4", "<./fit <d.bin >m4" },
	{ 0 }
};

static const char *without_uses(const char *text)
{
	struct buf b = { 0 };
	const char *all;
	bool skips = false;

	buf_str(&b, "");
	for (const char *p = text; *p;) {
		size_t n = strcspn(p, "\n") + 1;

		skips = strncmp(p, "\tuses", 5) == 0 || (skips && strncmp(p, "\t\t", 2) == 0);
		if (!skips)
			buf_add(&b, p, n);
		p += n;
	}
	all = arena_str(&arena, b.p);
	buf_release(&b);
	return all;
}

static void teach(const struct lesson *l)
{
	for (; l->about; l++) {
		const char *text = derived(l->seen);
		int before = test_failures;

		if (strncmp(text, "refused", 7) != 0)
			text = without_uses(text);
		CHECK_STR(text, l->model);
		if (l->other && strncmp(text, "refused", 7) != 0)
			CHECK_STR(bound(text, l->other), l->binds);
		if (test_failures != before)
			printf("# in: %s\n", l->about);
		arena_reset(&arena);
	}
}

static void by_arguments(void)
{
	teach(arguments);
}

static void by_values(void)
{
	teach(paths);
}

/* A folder of many files, in folders of few, is one read. */
static void many_files(void)
{
	struct buf did = { 0 };
	struct sight seen[2] = { { .command = "python3 t.py --data img --out m" } };

	buf_str(&did, "r:t.py w:m d:img");
	for (int i = 0; i < 30000; i++)
		buf_printf(&did, " r:img/%d/%d.png", i / 10, i);
	for (int i = 0; i < 3000; i++)
		buf_printf(&did, " r:/usr/lib/python3/x%d.py", i);
	seen[0].did = did.p;
	CHECK_STR(without_uses(derived(seen)), "python3 t.py --data=@in/ --out=@out\n");
	buf_release(&did);
	arena_reset(&arena);
}

static void by_more_runs(void)
{
	teach(merges);
}

static const struct test tests[] = {
	{ "what the arguments name is read and written where they name it", by_arguments },
	{ "paths are built of values, and the sweep's next one is right", by_values },
	{ "thousands of files are their folder, and cost no minutes", many_files },
	{ "more runs merge, split or widen a model", by_more_runs },
	{ 0 }
};

int main(void)
{
	int rc = test_main(tests);

	arena_release(&arena);
	return rc;
}
