# contract.sh - sourced: a real remote is held against the promises of remote.h

# contract KIND URI...: t_remotes over these.
contract()
{
	local kind=$1

	shift
	GG_TEST_REMOTES="$*" "$BUILD/test/t_remotes" >"$work/tap" 2>&1
	grep -E "^not ok|^#|^Bail" "$work/tap"
	! grep -qE "^not ok|^Bail" "$work/tap" && grep -q "^ok .* - $kind: after close" "$work/tap"
}

# forcing URI: t_exec_remote over it; {} becomes a place of its own.
forcing()
{
	GG_TEST_FAR=$1 "$BUILD/test/t_exec_remote" >"$work/tap" 2>&1 &&
		grep -q '^ok .*while inputs come others have the room' "$work/tap" && return
	cat "$work/tap"
	return 1
}
