/* The gate's commit rule: optimistic concurrency control, with which audit and revocation are one
 * mechanism. One node, its cache, its sequencer; the store is linearizable; a revoker elsewhere.
 *
 * Claim: an operation invoked after Revoke returned, while nobody allows the item again, never
 * succeeds. No clocks are used; Spin's interleaving stands for every pause and delay, and the
 * branch "fresh = false" for a store that does not answer.
 *
 * The rule, one of:
 *   R_TAG    an operation carries the epoch at which what it used was read; it passes if nothing
 *            changed in (that, the epoch learned after its batch closed]. This is the gate's.
 *   R_MOVED  checked only when this batch saw the epoch move. Must fail.
 *   R_STATE  checked against the node's cached state at that time. Must fail with FILL.
 * What happens besides:
 *   FILL     the cache starts empty and is filled by operations; else it is updated in place
 *   TWO      a second item is loaded after the first was read; the lowest epoch stands
 *   AGAIN    the item is allowed again, and then revoked a second time
 * Defects, each of which must be found:
 *   R_LAST      (with TWO) the epoch of the last load stands, and hides the older read
 *   M_NO_BUMP   (with AGAIN) the second revocation does not move the epoch
 *   M_EARLY     Revoke returns before its commit
 *   M_OPEN      a store that does not answer counts as "unchanged"
 *   M_BEFORE    the epoch is read before the batch closes, so that late joiners ride on it
 *   M_ANY_FILL  (with FILL) a loaded item is tagged with the epoch at its installing, not its reading
 */
#ifndef B
#define B 3                               /* batches */
#endif
#ifndef OPS
#define OPS 2                             /* operations of each of the two clients */
#endif
byte epoch = 0; bool revoked = false;     /* the store */
bool returned = false;                    /* ghost: a Revoke has returned and nothing allowed since */
byte open = 0; byte done = 0; byte applied = 0;
#ifdef FILL
bool cached = false;
#else
bool cached = true;
#endif
bool cRev = false; byte cAt = 0;
bool fresh[B+1]; byte seenAt[B+1];
#ifdef R_MOVED
bool moved[B+1];
#endif
#ifdef R_STATE
bool stateRev[B+1];
#endif
byte allowedAgain = 0;                    /* ghost: how often someone began to allow it again */

proctype Client() {
  byte k = 0; byte my; bool after; bool st; byte at; byte then;
  do
  :: k < OPS && open < B ->
     k++; atomic { after = returned; then = allowedAgain }
     if
     :: atomic { cached -> st = cRev; at = cAt }
     :: atomic { !cached -> st = revoked; at = epoch }    /* read the row from the store */
#ifdef M_ANY_FILL
        atomic { at = epoch; cached = true; cRev = st; cAt = at }
#else
        atomic { cached = true; cRev = st; cAt = at }     /* later: install it */
#endif
     fi;
     if :: st -> goto next :: else fi;
#ifdef TWO
     /* a second item (the key) is loaded after the credential was read from the cache */
#ifdef R_LAST
     at = epoch;
#else
     skip;
#endif
#endif
     my = open;                                            /* compute, then join */
     done >= my + 1;
     if
#ifdef R_MOVED
     :: fresh[my] && !moved[my] -> assert(!(after && then == allowedAgain))
#endif
#ifdef R_STATE
     :: fresh[my] && !stateRev[my] -> assert(!(after && then == allowedAgain))
#endif
#ifdef R_TAG
#ifdef M_OPEN
     :: !fresh[my] || seenAt[my] == at -> assert(!(after && then == allowedAgain))
#else
     :: fresh[my] && seenAt[my] == at -> assert(!(after && then == allowedAgain))
#endif
#endif
     :: else
     fi;
next: atomic { my = 0; after = false; st = false; at = 0; then = 0 }  /* fewer states */
  :: else -> break
  od
}

proctype Sequencer() {
  byte seen; byte cur;
  do
  :: open < B ->
#ifdef R_MOVED
#define MOVED moved[cur] = true;
#else
#define MOVED
#endif
     cur = open;
#ifdef M_BEFORE
     seen = epoch; open = cur + 1; fresh[cur] = true; seenAt[cur] = seen;
#else
     open = cur + 1;                                       /* close, then learn the epoch */
     if
     :: atomic { seen = epoch; fresh[cur] = true; seenAt[cur] = seen }
     :: fresh[cur] = false
     fi;
#endif
     if
     :: fresh[cur] && seen != applied ->
#ifdef FILL
        atomic { applied = seen; MOVED cached = false }          /* wipe */
#else
        atomic { applied = seen; MOVED cRev = revoked; cAt = epoch }
#endif
     :: else
     fi;
#ifdef R_STATE
     stateRev[cur] = cached && cRev;
#endif
     done = cur + 1; seen = 0; cur = 0
  :: else -> break
  od
}

proctype Revoker() {
#ifdef M_EARLY
  returned = true; atomic { revoked = true; epoch++ }
#else
  atomic { revoked = true; epoch++ }
  returned = true;
#endif
#ifdef AGAIN
  atomic { returned = false; allowedAgain++ }
  atomic { revoked = false; epoch++ }
#ifdef M_NO_BUMP
  revoked = true;
#else
  atomic { revoked = true; epoch++ }
#endif
  returned = true
#endif
}

init { atomic { run Revoker(); run Sequencer(); run Client(); run Client() } }
