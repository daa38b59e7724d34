/*
 * nest.pml - the protocol of src/nest as a Promela model, to be searched by spin.
 *
 *   router ---ring---> lanes ---outbox---> router        undertaker: buries and respawns lanes
 *
 * One atomic step here is one access to a shared word there, so that all interleavings of the
 * real steps are searched.  A lane, and the router where ROUTER_KILLS says so, may die between any
 * two steps.  README.md says what is checked and which -D make which variant; every NO_... and
 * ..._FIRST define breaks the protocol in one place, and the search must find that.
 *
 * Left out: the bytes themselves (a request is its number), more than one router (areas share
 * nothing but the idle bits), lanes with several claims at once, the wrap of generations.
 */

#ifndef LANES
#define LANES 2
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef RING
#define RING 4		/* places; there may be three entries per slot */
#endif
#ifndef REQUESTS
#define REQUESTS 2
#endif
#ifndef PIECES
#define PIECES 1	/* of each answer, one chunk each */
#endif
#ifndef CHUNKS
#define CHUNKS 1	/* of each lane */
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef ROUTER_KILLS
#define ROUTER_KILLS 0
#endif
#ifndef CANCELS
#define CANCELS 0
#endif

#define BOX   4
#define SLEEP 128
#define BIT(i) (1 << (i))

/* A slot's word: three numbers, always read and changed together. */
#define FREE      0
#define QUEUED    1
#define CLAIMED   2
#define CANCELLED 3
#define ORPHANED  4
byte state[SLOTS];
byte generation[SLOTS];
byte owner[SLOTS];

byte request_of[SLOTS];		/* the slot's bytes */

byte ring_slot[RING];
byte ring_generation[RING];
byte head;
byte tail;
#ifdef TSO
byte tail_buffer;		/* the tail as its router stored it; others see it later */
#define TAIL tail_buffer
#else
#define TAIL tail
#endif

byte idle;			/* bits */
bool work_token[LANES];
bool work_asleep[LANES];	/* in FUTEX_WAIT */
byte starving;
bool chunk_token[LANES];
bool chunk_asleep[LANES];

#define INUSE 1
#define HELD  2
#define AT(l, i) ((l) * CHUNKS + (i))
byte chunk[LANES * CHUNKS];	/* FREE, INUSE, HELD */
byte bytes[LANES * CHUNKS];	/* what the chunk holds: a request's number + 1 */

#define BOXED(l, n) ((l) * BOX + (n) % BOX)
byte box_slot[LANES * BOX];
byte box_generation[LANES * BOX];
byte box_chunk[LANES * BOX];
bool box_end[LANES * BOX];
byte box_request[LANES * BOX];	/* ghost: what it answers */
byte box_head[LANES];
byte box_tail[LANES];

byte dirty;
bool event;			/* the router's eventfd */
bool orphans;

/* Ghosts: what a client would count. */
bool committed[REQUESTS];	/* the last piece has been published */
bool answered[REQUESTS];
bool given_up[REQUESTS];	/* cancelled, or its router died */

bool kill[LANES];
bool dead[LANES];
bool router_kill;
byte kills = KILLS;
byte router_kills = ROUTER_KILLS;

/* What the router believes; private.  Global only so that the last check can see it. */
#define IDLE   0
#define FLYING 1
#define LIMBO  2
byte p_state[SLOTS];
byte p_generation[SLOTS];
byte p_request[SLOTS];
byte p_place[SLOTS];
byte p_repeats[SLOTS];
bool p_cancelled[SLOTS];
byte p_used;
byte p_next;			/* the next request to publish */
bool p_done;

/* --- waking a lane: whoever clears the bit owes the token --- */

inline wake_one(v, i, mine)
{
	do
	:: d_step { v = idle; i = 0 };
	   if
	   :: v == 0 -> break
	   :: else
	   fi;
	   d_step {
		do
		:: (v & BIT(i)) == 0 -> i++
		:: else -> break
		od;
		mine = (idle & BIT(i)) != 0;
		idle = idle & ~BIT(i)
	   };
	   if
	   :: mine -> work_token[i] = 1; work_asleep[i] = 0; break
	   :: else
	   fi
	od
}

inline wake_starving(l, mine)
{
	d_step { mine = (starving & BIT(l)) != 0; starving = starving & ~BIT(l) };
	if
	:: mine -> chunk_token[l] = 1; chunk_asleep[l] = 0
	:: else
	fi
}

/* --- a worker --- */

inline give_piece(last)
{
	d_step {
		box_slot[BOXED(me, box_tail[me])] = s;
		box_generation[BOXED(me, box_tail[me])] = g;
		box_chunk[BOXED(me, box_tail[me])] = c;
		box_end[BOXED(me, box_tail[me])] = last;
		box_request[BOXED(me, box_tail[me])] = r
	};
	d_step {	/* the commit */
		assert(box_tail[me] - box_head[me] < BOX);
		box_tail[me]++;
		if
		:: last && c < CHUNKS -> committed[r] = 1
		:: else
		fi
	};
	d_step { v = dirty; dirty = dirty | BIT(me) };
	if
	:: v == SLEEP -> event = 1
	:: else
	fi
}

/* c: a chunk, or CHUNKS when the request is over. */
inline find_chunk()
{
	d_step {
		c = 0;
		do
		:: c < CHUNKS && chunk[AT(me, c)] != FREE -> c++
		:: else -> break
		od;
		won = c < CHUNKS;
		if
		:: won -> chunk[AT(me, c)] = INUSE
		:: else
		fi
	}
}

inline is_over()
{
	d_step { over = !(state[s] == CLAIMED && generation[s] == g && owner[s] == me) }
}

inline get_chunk()
{
	do
	:: is_over();
	   if
	   :: over -> c = CHUNKS; break
	   :: else
	   fi;
	   find_chunk();
	   if
	   :: won -> break
	   :: else
	   fi;
	   chunk_token[me] = 0;
	   starving = starving | BIT(me);
#ifndef NO_CHUNK_RECHECK
	   is_over();
	   if
	   :: !over -> find_chunk()
	   :: else -> won = 0
	   fi;
#endif
	   if
	   :: !won && !over ->
		d_step { chunk_asleep[me] = !chunk_token[me] };
		!chunk_asleep[me]
	   :: else
	   fi;
	   starving = starving & ~BIT(me);
	   if
	   :: won || over -> if :: over -> c = CHUNKS :: else fi; break
	   :: else
	   fi
	od
}

inline answer()
{
	k = 0;
	do
	:: k < PIECES ->
		get_chunk();
		if
		:: c == CHUNKS -> break
		:: else
		fi;
		assert(bytes[AT(me, c)] == 0);	/* nobody reads it any more */
		bytes[AT(me, c)] = r + 1;
		k++;
		give_piece(k == PIECES)
	:: else -> break
	od;
	if
	:: c == CHUNKS -> give_piece(true)	/* END without a chunk */
	:: else
	fi
}

/* won: the slot s of generation g is ours. */
inline claim()
{
	do
	:: h = head;
	   d_step { won = 0; v = (h == tail) };
	   if
	   :: v -> break
	   :: else
	   fi;
	   d_step { s = ring_slot[h % RING]; g = ring_generation[h % RING] };
	   d_step {
		won = state[s] == QUEUED && generation[s] == g;
		if
		:: won -> state[s] = CLAIMED; owner[s] = me
		:: else
		fi
	   };
	   d_step {
		if
#ifdef NO_HELP
		:: head == h && won -> head++
#else
		:: head == h -> head++
#endif
		:: else
		fi;
		assert(head > h)	/* no dead entry stops anybody */
	   };
	   if
	   :: won -> r = request_of[s]; break
	   :: else
	   fi
	od
}

inline pass_wake_on()
{
#ifndef NO_CHAIN
	if
	:: idle != 0 ->
		if
		:: head != tail -> wake_one(v, i, won)
		:: else
		fi
	:: else
	fi
#endif
}

inline sleep_for_work()
{
	work_token[me] = 0;
	idle = idle | BIT(me);
#ifdef NO_RECHECK
	v = 1;
#else
	h = head;
	v = (h == tail);
#endif
	if
	:: v ->
		d_step { work_asleep[me] = !work_token[me] };
end_asleep:	!work_asleep[me]
	:: else
	fi;
	idle = idle & ~BIT(me)
}

proctype lane(byte me)
{
	byte h, s, g, r, c, k, v, i;
	bool won, over;

	do
	:: {
		do
		:: claim();
		   if
		   :: won -> pass_wake_on(); answer()
		   :: else -> sleep_for_work()
		   fi;
		   d_step { h = 0; s = 0; g = 0; r = 0; c = 0; k = 0; v = 0; i = 0; won = 0; over = 0 }
		od
	   } unless { kill[me] };
	   d_step {
		kill[me] = 0; work_asleep[me] = 0; chunk_asleep[me] = 0;
		h = 0; s = 0; g = 0; r = 0; c = 0; k = 0; v = 0; i = 0; won = 0; over = 0;
		dead[me] = 1
	   };
end_dead:  !dead[me]
	od
}

/* --- the prototype --- */

inline bury_chunks()
{
	c = 0;
	do
	:: c < CHUNKS ->
		d_step { won = chunk[AT(l, c)] == INUSE; h = box_head[l]; i = h };
		d_step {	/* the lane is dead: only the router moves here */
			do
			:: won && i != box_tail[l] ->
				if
				:: box_chunk[BOXED(l, i)] == c -> won = 0
				:: else
				fi;
				i++
			:: else -> break
			od
		};
		d_step {
			if
			:: won && chunk[AT(l, c)] == INUSE -> chunk[AT(l, c)] = FREE; bytes[AT(l, c)] = 0
			:: else
			fi;
			c++
		}
	:: else -> break
	od
}

inline bury_slots()
{
	won = 0;
	c = 0;
	do
	:: c < SLOTS ->
		d_step {
			if
			:: (state[c] == CLAIMED || state[c] == CANCELLED) && owner[c] == l ->
				state[c] = ORPHANED; won = 1
			:: else
			fi;
			c++
		}
	:: else -> break
	od;
	if
	:: won -> orphans = 1
	:: else
	fi
}

inline wake_every_lane()
{
	i = 0;
	do
	:: i < LANES ->
		d_step { work_token[i] = 1; work_asleep[i] = 0 };
		d_step { chunk_token[i] = 1; chunk_asleep[i] = 0; i++ }
	:: else -> break
	od
}

proctype undertaker()
{
	byte l, c, h, i;
	bool won;

end_idle:
	do
	:: dead[0] -> l = 0; goto bury
#if LANES > 1
	:: dead[1] -> l = 1; goto bury
#endif
	od;
bury:
	bury_chunks();
	bury_slots();
	dirty = dirty | BIT(l);
#ifndef NO_EVENT
	event = 1;
#endif
	idle = idle & ~BIT(l);
	starving = starving & ~BIT(l);
#ifndef NO_TOKENS
	wake_every_lane();
#endif
#ifdef NO_RESPAWN
end_stays:
	false		/* one death only, and nobody takes the lane's place */
#else
	atomic { dead[l] = 0; l = 0; c = 0; h = 0; i = 0; won = 0 };
	goto end_idle
#endif
}

/* --- a router --- */

inline put_in_ring(n)
{
	d_step {
		assert(TAIL - head < RING);
		ring_slot[TAIL % RING] = n;
		ring_generation[TAIL % RING] = p_generation[n]
	};
	d_step { TAIL++; p_place[n] = TAIL }
}

inline publish(n)
{
	d_step {
		p_used++;
		p_generation[n]++;
		p_state[n] = FLYING;
		p_request[n] = p_next;
		p_repeats[n] = 0;
		p_cancelled[n] = 0;
		p_next++;
		request_of[n] = p_request[n]
	};
	d_step { state[n] = QUEUED; generation[n] = p_generation[n]; owner[n] = 0 };
	put_in_ring(n);
	wake = 1
}

/* A slot that is free and whose entry the head has passed, helping it: s, or SLOTS. */
inline take()
{
	d_step {
		do
		:: head < TAIL && !(state[ring_slot[head % RING]] == QUEUED &&
				    generation[ring_slot[head % RING]] == ring_generation[head % RING]) -> head++
		:: else -> break
		od;
		s = 0;
		do
#ifdef NO_PASSING
		:: s < SLOTS && p_state[s] != IDLE -> s++
#else
		:: s < SLOTS && (p_state[s] != IDLE || p_place[s] > head) -> s++
#endif
		:: else -> break
		od
	}
}

inline wake_a_lane()
{
	if
	:: wake ->
#if defined(TSO) && !defined(NO_FENCE)
		tail == tail_buffer;
#endif
		wake_one(v, i, mine);
		wake = 0
	:: else
	fi
}

inline retire(n)
{
	d_step { state[n] = FREE; p_state[n] = IDLE; p_used-- }
}

inline free_chunk(l, n)
{
	d_step { assert(chunk[AT(l, n)] == HELD); chunk[AT(l, n)] = FREE; bytes[AT(l, n)] = 0 };
	wake_starving(l, mine)
}

/* One entry of lane l: hold, pass, deliver. */
inline take_piece(l)
{
	d_step {
		s = box_slot[BOXED(l, box_head[l])];
		g = box_generation[BOXED(l, box_head[l])];
		c = box_chunk[BOXED(l, box_head[l])];
		last = box_end[BOXED(l, box_head[l])];
		r = box_request[BOXED(l, box_head[l])]
	};
#if defined(HEAD_FIRST) || defined(HEAD_BEFORE_FREE)
	box_head[l]++;
#endif
	d_step {
		held = 0;
		if
		:: c < CHUNKS ->
			if
			:: chunk[AT(l, c)] == INUSE -> chunk[AT(l, c)] = HELD; held = 1
			:: else
			fi
		:: else
		fi
	};
	if
	:: last && p_state[s] != IDLE && p_generation[s] == g -> state[s] = FREE
	:: else
	fi;
#if !defined(HEAD_FIRST) && !defined(HEAD_BEFORE_FREE)
	box_head[l]++;
#endif
	if
	:: p_state[s] == FLYING && p_generation[s] == g ->
		assert(p_request[s] == r);
		assert(held || c == CHUNKS);	/* committed, so nobody else may have taken it */
		if
		:: held -> assert(bytes[AT(l, c)] == r + 1); free_chunk(l, c)
		:: else
		fi;
		if
		:: last ->
			d_step {
				assert(!answered[r]);
				if
				:: p_cancelled[s]
				:: else -> assert(c < CHUNKS); answered[r] = 1
				fi
			};
			d_step { p_state[s] = IDLE; p_used-- }
		:: else
		fi
	:: else ->
#ifdef STRICT
		assert(ROUTER_KILLS > 0 || !last || c == CHUNKS);	/* nothing is answered too late */
#endif
		if
		:: held -> free_chunk(l, c)
		:: else
		fi;
		if
		:: p_state[s] == LIMBO && p_generation[s] == g && last ->
			p_state[s] = IDLE
		:: else
		fi
	fi
}

inline drain(l)
{
	t = box_tail[l];
	do
	:: box_head[l] != t -> take_piece(l)
	:: else -> break
	od
}

inline drain_all()
{
	drain(0);
#if LANES > 1
	drain(1)
#endif
}

inline note_orphans()
{
	noted = 0;
	i = 0;
	do
	:: i < SLOTS ->
		d_step {
			if
			:: p_state[i] != IDLE && state[i] == ORPHANED && generation[i] == p_generation[i] ->
				noted = noted | BIT(i)
			:: else
			fi;
			i++
		}
	:: else -> break
	od
}

inline requeue_orphans()
{
	i = 0;
	do
	:: i < SLOTS ->
		if
		:: (noted & BIT(i)) && p_state[i] != IDLE && state[i] == ORPHANED &&
		   generation[i] == p_generation[i] ->
			if
			:: p_state[i] == LIMBO -> d_step { state[i] = FREE; p_state[i] = IDLE }
			:: p_state[i] == FLYING && p_cancelled[i] -> retire(i)
			:: p_state[i] == FLYING && !p_cancelled[i] ->
				assert(!committed[p_request[i]]);	/* it would run twice */
				d_step {
					assert(p_repeats[i] < 2);
					p_repeats[i]++;
					p_generation[i]++
				};
				d_step { state[i] = QUEUED; generation[i] = p_generation[i]; owner[i] = 0 };
				put_in_ring(i);
				wake = 1
			fi
		:: else
		fi;
		i++
	:: else -> break
	od;
	noted = 0;
	i = 0
}

inline collect()
{
	if
	:: orphans || look ->
		d_step { orphans = 0; look = 0 };
#ifdef DRAIN_FIRST
		drain_all();
		note_orphans();
#else
		note_orphans();
		drain_all();
#endif
		requeue_orphans()
	:: else
	fi;
	if
	:: pending & BIT(0) -> drain(0)
	:: else
	fi;
#if LANES > 1
	if
	:: pending & BIT(1) -> drain(1)
	:: else
	fi;
#endif
	pending = 0
}

inline cancel()
{
#if CANCELS > 0
	if
	:: s = 0
	:: s = SLOTS - 1
	fi;
	if
	:: cancels > 0 && p_state[s] == FLYING && !p_cancelled[s] ->
		d_step {
			cancels--;
			given_up[p_request[s]] = 1;
			p_cancelled[s] = 1;
			mine = 0;
			c = owner[s];
			if
			:: state[s] == QUEUED -> state[s] = FREE; p_state[s] = IDLE; p_used--; again = 1
			:: state[s] == CLAIMED -> state[s] = CANCELLED; mine = 1
			:: else
			fi
		};
		if
		:: mine -> wake_starving(c, mine)
		:: else
		fi
	:: true
	fi
#else
	skip
#endif
}

inline sleep_for_news()
{
	d_step {
		mine = pending == 0 && dirty == 0 && !again;	/* again: the next client is there */
		again = 0;
		if
		:: mine -> dirty = SLEEP
		:: else
		fi
	};
	if
	:: mine -> event
	:: else
	fi;
	event = 0;
	d_step { pending = pending | (dirty & ~SLEEP); dirty = 0 }
}

#if ROUTER_KILLS > 0
inline sweep()
{
	i = 0;
	do
	:: i < LANES * CHUNKS ->
		d_step {
			if
			:: chunk[i] == HELD -> chunk[i] = FREE; bytes[i] = 0
			:: else
			fi;
			i++
		}
	:: else -> break
	od
}

/* port_open: what the dead predecessor left. */
inline take_over()
{
	i = 0;
	do
	:: i < SLOTS ->
		d_step {
			p_generation[i] = generation[i];
			if
			:: state[i] == CLAIMED || state[i] == CANCELLED -> state[i] = CANCELLED; p_state[i] = LIMBO
			:: else -> state[i] = FREE; p_state[i] = IDLE
			fi;
			i++
		}
	:: else -> break
	od;
	head = tail;
#ifdef SWEEP_FIRST
	sweep();
	drain_all();
#else
	drain_all();
	sweep();
#endif
	atomic { dirty = 0; pending = BIT(LANES) - 1; look = 1 };
#ifndef NO_OPEN_TOKENS
	wake_every_lane();
#endif
}
#endif

proctype router()
{
	byte s, g, r, c, t, v, i, noted, pending;
	byte cancels = CANCELS;
	bool mine, last, held, wake, look, again;

#if ROUTER_KILLS > 0
	do
	:: {
#endif
		do
		:: do
		   :: p_next < REQUESTS ->
			take();
			if
			:: s < SLOTS -> publish(s)
			:: else -> break
			fi
		   :: p_used > 0 || p_next == REQUESTS -> break
		   od;
		   cancel();
		   wake_a_lane();
		   if
		   :: p_used == 0 && p_next == REQUESTS -> break
		   :: p_used > 0 || p_next < REQUESTS
		   fi;
		   sleep_for_news();
		   collect()
		od;
		p_done = 1;
		/* Go on for what is late: pieces of claims in LIMBO, orphans of cancelled slots. */
		do
		:: d_step { mine = dirty == 0; dirty = (mine -> SLEEP : dirty) };
		   if
		   :: mine ->
end_done:		event
		   :: else
		   fi;
		   event = 0;
		   d_step { pending = dirty & ~SLEEP; dirty = 0 };
		   collect();
		   wake_a_lane()
		od
#if ROUTER_KILLS > 0
	   } unless { router_kill };
	   d_step {
		router_kill = 0;
		i = 0;
		do
		:: i < p_next -> given_up[i] = 1; i++
		:: else -> break
		od;
		p_used = 0; s = 0; g = 0; r = 0; c = 0; t = 0; v = 0; i = 0; noted = 0; pending = 0;
		mine = 0; last = 0; held = 0; wake = 0; look = 0; again = 0
	   };
	   take_over()
	od
#endif
}

#ifdef TSO
active proctype store_buffer()
{
end_flushed:
	do
	:: tail != tail_buffer -> tail = tail_buffer
	od
}
#endif

/* Kills at any moment while there is still something to lose. */
active proctype killer()
{
end_killed:
	do
#if KILLS > 0
	:: d_step { kills > 0 && !kill[0] && !dead[0] -> kills--; kill[0] = 1 }
#if LANES > 1
	:: d_step { kills > 0 && !kill[1] && !dead[1] -> kills--; kill[1] = 1 }
#endif
#endif
#if ROUTER_KILLS > 0
	:: d_step { router_kills > 0 && p_next < REQUESTS -> router_kills--; router_kill = 1 }
#endif
	:: false
	od
}

/* When nothing moves any more: everybody is where he should be. */
active proctype at_the_end()
{
	byte i;

	timeout;
	d_step {
		assert(p_done);
		i = 0;
		do
		:: i < REQUESTS -> assert(answered[i] || given_up[i]); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < SLOTS -> assert(state[i] == FREE && p_state[i] == IDLE); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < LANES * CHUNKS -> assert(chunk[i] == FREE); i++
		:: else -> break
		od;
		i = 0;
		do
		:: i < LANES ->
			/* asleep, and a bit shows it: no lane is stranded */
			assert(dead[i] || (work_asleep[i] && (idle & BIT(i)) && !chunk_asleep[i]));
			i++
		:: else -> break
		od
	}
}

init
{
	atomic {
		run router();
		run undertaker();
		run lane(0);
#if LANES > 1
		run lane(1)
#endif
	}
}
