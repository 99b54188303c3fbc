#!/bin/sh
# Checks the models with Spin: each correct rule must have no error, each defect must have one.
# Needs spin and a C compiler (Debian: apt-get install spin gcc). "check.sh full" adds the runs that
# take minutes. Exit code 1: a rule failed, or a defect was not found.
set -eu
cd "$(dirname "$0")"
models=$(pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0

# run WANT MODEL FLAGS…: WANT is "holds" or "broken".
run() {
	want=$1 model=$2
	shift 2
	cd "$work"
	rm -f pan* ./*.trail
	spin -a "$@" "$models/$model" >/dev/null
	${CC:-gcc} -O1 -w -DSAFETY -DCOLLAPSE -o pan pan.c
	# -E: a client may wait for a batch that the bounded sequencer never runs.
	./pan -m200000 -E >out 2>&1 || { cat out; exit 1; }
	if grep -q 'max search depth too small\|out of memory' out || ! grep -q 'errors: [0-9]' out; then
		cat out
		exit 1
	fi
	if grep -q 'errors: 0' out; then got=holds; else got=broken; fi
	if [ $got = broken ] && ! grep -q 'assertion violated' out; then
		cat out
		exit 1
	fi
	states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' out)
	verdict=ok
	if [ $got != "$want" ]; then
		verdict=WRONG failed=1
	fi
	echo "$verdict  $got  $model $*  ($states states)"
}

for fill in '' -DFILL; do
	for with in '' -DTWO; do
		run holds revoke_occ.pml -DR_TAG $with $fill
		run broken revoke_occ.pml -DR_MOVED $with $fill
		run broken revoke_occ.pml -DR_TAG -DM_EARLY $with $fill
		run broken revoke_occ.pml -DR_TAG -DM_OPEN $with $fill
		run broken revoke_occ.pml -DR_TAG -DM_BEFORE $with $fill
	done
	run broken revoke_occ.pml -DR_TAG -DTWO -DR_LAST $fill
	# One operation a client: the second revocation makes many states.
	run holds revoke_occ.pml -DR_TAG -DAGAIN -DOPS=1 $fill
	run broken revoke_occ.pml -DR_TAG -DAGAIN -DOPS=1 -DM_NO_BUMP $fill
done
run broken revoke_occ.pml -DR_STATE -DFILL
run broken revoke_occ.pml -DR_TAG -DFILL -DM_ANY_FILL

for defect in M_READ_FIRST M_NO_RECHECK M_FAIL_OPEN M_EARLY_ACK M_STALE_READ; do
	run broken revoke_fenced.pml -D$defect
done
for defect in M_FROM_REPLY M_SHORT_WAIT M_FROZEN; do
	run broken revoke_lease.pml -D$defect
done
run holds rewrap.pml
for defect in M_LIST_FIRST M_NO_RECHECK M_PAGE; do
	run broken rewrap.pml -D$defect
done
if [ "${1:-}" = full ]; then
	run holds revoke_occ.pml -DR_TAG -DTWO -DB=5
	run holds revoke_occ.pml -DR_TAG -DTWO -DFILL -DB=5
	run holds revoke_occ.pml -DR_TAG -DTWO -DFILL -DAGAIN -DOPS=1
	run holds revoke_lease.pml
	run holds revoke_fenced.pml
fi
exit $failed
