/* When does an old version of a master key wrap nothing any more?
 *
 * Creators wrap a new key under the primary that they read; a commit passes only if the master key was
 * not changed since. A rotation makes version 2 the primary. The re-wrap reads the master key, then
 * lists what version 1 wraps; it wraps that under 2, each item at the revision that was listed, and when
 * the list is empty it marks version 1. A version that is marked is destroyed at any time.
 *
 * Claim: nothing is wrapped by a version that is marked, and nothing that is wrapped by it comes later.
 *
 * Defects: M_LIST_FIRST lists before it reads the master key; M_NO_RECHECK lets a creator commit
 * whatever changed; M_PAGE marks with the first page, full or not.
 */
#define CREATORS 3

byte primary = 1;
byte changed = 0;         /* how often the master key was changed */
byte wrapped[3];          /* keys by the version that wraps them */
bool marked = false;      /* version 1 wraps nothing */

inline check() { assert(!marked || wrapped[1] == 0) }

proctype creator() {
	byte seen, by;
again:
	atomic { seen = changed; by = primary }
	atomic {
		if
#ifndef M_NO_RECHECK
		:: seen != changed -> goto again
#endif
		:: else -> wrapped[by]++; check()
		fi
	}
}

proctype rotator() { atomic { primary = 2; changed++ } }

/* Several nodes may do it at once. A page is one key. */
proctype rewrapper() {
	byte seen, by, listed;
again:
#ifdef M_LIST_FIRST
	listed = wrapped[1];
	atomic { seen = changed; by = primary }
#else
	atomic { seen = changed; by = primary }
	listed = wrapped[1];
#endif
	atomic {
		if
		:: seen != changed || by == 1 -> goto again
		:: else
		fi;
		if
		:: listed == 0 -> marked = true; check(); goto done
		:: listed > 0 && wrapped[1] != listed -> goto again   /* another revision */
		:: listed > 0 && wrapped[1] == listed ->
			wrapped[1]--; wrapped[by]++;
#ifdef M_PAGE
			marked = true; check();
#endif
			goto again
		fi
	}
done:
	skip
}

init {
	atomic {
		byte i;
		for (i : 1 .. CREATORS) { run creator() }
		run rotator();
		run rewrapper();
		run rewrapper()
	}
}
