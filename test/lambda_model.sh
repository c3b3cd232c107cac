#!/bin/bash
# gg lambda against the published model of the API: members, types and paths of
# each request, and its signature as botocore makes it.  AWS itself is not asked.
. "$(dirname "$0")/lib.sh"
test -e /usr/lib/python3/dist-packages/botocore/data/lambda/2015-03-31/service-2.json ||
	skip "python3-botocore, which holds the API's model, is not installed"

export HOME=$work AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=AKIDEXAMPLE
export AWS_SECRET_ACCESS_KEY='a secret/key' AWS_SESSION_TOKEN='a token'
unset AWS_PROFILE AWS_ENDPOINT_URL AWS_ENDPOINT_URL_LAMBDA
role=arn:aws:iam::123456789012:role/gg
cd "$work" && mkdir model
echo '{}' >model/state
: >model/log
/usr/bin/python3 "$here/test/lambda_model.py" model >port 2>server.log &
server=$!
trap 'kill $server 2>/dev/null; wait $server 2>/dev/null; rm -rf "$work"' EXIT
until_true 60 test -s port
export AWS_ENDPOINT_URL_LAMBDA=http://127.0.0.1:$(cat port)
cp /bin/true worker1
cp /bin/false worker2

lambda() { "$GG" lambda "$@"; }

# asked OPERATIONS COMMAND...: it ends with 0, and just these requests came,
# but for those that only wait.
asked()
{
	local want=$1 got

	shift
	: >model/log
	"$@" >out 2>&1 || { cat out model/log; return 1; }
	got=$(grep -v '^GetFunctionConfiguration ' model/log | cut -d' ' -f1 | tr '\n' ' ')
	[ "$got" = "$want " ] && return
	echo "wanted \"$want\", got:"
	cat model/log out
	return 1
}

# refused TEXT COMMAND...: it fails and says so, and asked for nothing wrong.
refused()
{
	local want=$1

	shift
	: >model/log
	"$@" >out 2>&1 && { echo "it worked"; return 1; }
	grep -qF -- "$want" out && ! grep WRONG model/log && return
	cat out model/log
	return 1
}

check "a new function needs a role, and is not asked for without one" \
	refused "--role" lambda deploy gg-1 --worker worker1
check "it is made from the worker, and waited for" \
	asked "GetFunction CreateFunction" \
	lambda deploy gg-1 --worker worker1 --role $role --memory 1769M --timeout 5m --disk 1G
check "the zip holds the worker as bootstrap" cmp worker1 model/bootstrap
check "it can be called when gg says so" grep -q "engine lambda:function=gg-1:1769M,disk=1024M" out
check "its sizes are those that were asked for" \
	jq -e '."gg-1" | .MemorySize == 1769 and .Timeout == 300 and
	.EphemeralStorage.Size == 1024 and .Runtime == "provided.al2023"' model/state
check "code that is the same is not sent again" \
	asked "GetFunction UpdateFunctionConfiguration" \
	lambda deploy gg-1 --worker worker1 --memory 2G
check "code that is another is" \
	asked "GetFunction UpdateFunctionCode UpdateFunctionConfiguration" \
	lambda deploy gg-1 --worker worker2
check "what was not named stays" \
	jq -e '."gg-1" | .MemorySize == 2048 and .Timeout == 300' model/state
check "a function is made of an image too" \
	asked "GetFunction CreateFunction" lambda deploy gg-2 --role $role \
	--image 123456789012.dkr.ecr.eu-west-1.amazonaws.com/gg:1
check "one of the other kind is told of" \
	refused "gg lambda remove gg-2" lambda deploy gg-2 --worker worker1
check "a call that is throttled is made again" eval '
	echo "GetFunction 429 TooManyRequestsException Rate exceeded" >model/fail
	asked "GetFunction GetFunction UpdateFunctionConfiguration" \
		lambda deploy gg-1 --worker worker2'
check "what AWS says against it is handed on, with what to do" eval '
	echo "CreateFunction 400 InvalidParameterValueException The role defined for the" \
		"function cannot be assumed by Lambda." >model/fail
	refused "trust policy" lambda deploy gg-4 --worker worker1 --role '$role
check "a function that cannot be made is told of with the reason" \
	refused "the role is of no use" lambda deploy gg-5 --worker worker1 --role ${role}bad

jq '. + {"other": {FunctionName: "other", Description: "pay day", polls: 0},
	"zz": {FunctionName: "zz", polls: 0}}' model/state >state && mv state model/state
check "list shows what gg has made, page by page" \
	asked "ListFunctions ListFunctions ListFunctions" lambda list
check "and nothing else" eval 'grep -q "^gg-1 " out && grep -q "^gg-2 " out &&
	! grep -q other out && ! grep -q zz out'
check "list --json is JSON" eval 'lambda list --json | jq -e "map(.name) |
	index(\"gg-1\") != null and index(\"zz\") == null"'
check "what others have made is neither changed nor removed" eval '
	refused "not made by gg" lambda remove other &&
	refused "not made by gg" lambda deploy other --worker worker1'
check "remove removes" asked "GetFunction DeleteFunction" lambda remove gg-1
check "what is not there is told of" refused "there is no function" lambda remove gg-1
check "sizes that Lambda does not have are refused" eval '
	refused "128 MB" lambda deploy gg-1 --worker worker1 --memory 64M &&
	refused "15 minutes" lambda deploy gg-1 --worker worker1 --timeout 1h'

project p
cat >gg.models <<'EOF'
cp @in @out
EOF
echo one >a
"$GG" infer cp a b >/dev/null 2>&1
cd "$work"
invoke()
{
	(cd p && "$GG" force --engine "lambda:function=gg-2,region=eu-west-1" b)
}
check "an invocation is of the model's shape, and its refusal is told" eval '
	for i in 1 2 3 4 5 6 7 8; do
		echo "Invoke 403 AccessDeniedException User is not authorized"
	done >model/fail
	refused "lambda:InvokeFunction" invoke && grep -q "Invoke gg-2" model/log'
check "the secret is in nothing that was printed or kept" eval '
	! grep -rqF "a secret/key" out p model'
check "no request was of a wrong shape or signature" eval '! grep WRONG model/log'
plan
