/*
 * The near cache of one node, one session, and the shared store: reads and a write of this node, and
 * two writes of another, whose changes are reported late, in every order.
 * docs/model/README.md says which line of code is which action.
 *
 * BUG plants a bug: see the README.
 */
#ifndef BUG
#define BUG 0
#endif

#define CALLS 3

byte stored = 1;      /* the version in the store */
byte kept = 0;        /* the version in the cache; 0: none */
byte running = 4;
byte own = 0;         /* the last version of which this node was told that it has written it */
chan reports = [4] of { byte };

/* A call of the store that has not returned, as pendingCall has it. */
bool pending[CALLS];
byte seen[CALLS];     /* the one version that was reported meanwhile */
bool discard[CALLS];  /* there was another change */

inline begin(f) { pending[f] = true; seen[f] = 0; discard[f] = false }

/* pendingCall.changed, for all of them */
inline changed(version) {
	for (j : 0 .. CALLS - 1) {
		if
		:: pending[j] -> discard[j] = discard[j] || (seen[j] != 0 && seen[j] != version); seen[j] = version
		:: else
		fi
	}
}

/* shard.keep */
inline keep(f, version) {
#if BUG == 8          /* says only what it keeps to the calls that are on their way */
	if
	:: discard[f] || (seen[f] != 0 && seen[f] != version) -> skip
	:: else -> changed(version)
	fi;
#else
	changed(version);
#endif
	if
	:: discard[f] || (seen[f] != 0 && seen[f] != version) -> kept = (kept == version -> kept : 0)
	:: else -> kept = version
	fi
}

/* Requests on this node, one after the other. */
proctype Reads(byte f; byte times) {
	byte least; byte got = 0; byte i; byte j;
	for (i : 1 .. times) {
		least = (own > got -> own : got);    /* what this request must see */
		if
		:: atomic { kept != 0 -> got = kept }    /* a hit */
		:: atomic { kept == 0 -> begin(f) };
			got = stored;                /* the store answers */
			atomic {                     /* shard.endLoad */
				pending[f] = false;
#if BUG == 6                                     /* keeps what was loaded before a report of a change */
				seen[f] = 0; discard[f] = false;
#endif
				keep(f, got)
			}
		fi;
		assert(got >= least)   /* own writes are seen, and no older state follows a newer one */
	}
	running--
}

/* A write by this node. */
proctype Write(byte f) {
	byte v; byte j;
	begin(f);                                    /* shard.beginWrite */
	atomic { stored++; v = stored; reports ! v };
	atomic {                                     /* shard.endWrite */
		pending[f] = false;
#if BUG != 7                                     /* leaves what was read before the write */
		kept = 0;
		for (j : 0 .. CALLS - 1) { discard[j] = discard[j] || pending[j] };
		keep(f, v);
#endif
		own = v
	};
	running--
}

/* Another node. */
proctype Others() {
	atomic { stored++; reports ! stored };
	atomic { stored++; reports ! stored };
	running--
}

/* The store's events arrive: shard.drop. */
active proctype Listen() {
	byte v; byte j;
end:
	do
	:: atomic { reports ? v -> kept = (kept == v -> kept : 0); changed(v) }
	od
}

init {
	atomic { run Reads(0, 1); run Reads(1, 2); run Write(2); run Others() };
	(running == 0 && empty(reports));
	/* Once every change is reported, the cache has nothing that is out of date. */
	assert(kept == 0 || kept == stored)
}
