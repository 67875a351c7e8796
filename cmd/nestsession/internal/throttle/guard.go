package throttle

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"time"
)

// The rates of a [Guard]. Five guesses are more than a forgetful user needs; one a minute after
// that is 1,440 a day, for a password of at least 15 characters. An office may share an address, so
// an address has a larger allowance. All addresses together have more guesses at a name than one
// address can use up, at once or over time: so a single address keeps no user out of an account.
var (
	perPair     = Rate{Burst: 5, Every: time.Minute}        // of an address and a name, or of a known device
	perAddress  = Rate{Burst: 20, Every: 15 * time.Second}  // at whatever names
	perName     = Rate{Burst: 100, Every: 20 * time.Second} // from all addresses from which nobody has logged in
	perRegister = Rate{Burst: 20, Every: 15 * time.Second}
)

// knownFor is how long an address stays known for a name after a login there.
const knownFor = 30 * 24 * time.Hour

// TooMany is the error of an attempt that comes too early.
type TooMany struct {
	After time.Duration // how long to wait
}

func (e *TooMany) Error() string {
	return fmt.Sprintf("throttle: too many attempts: wait %s", e.After)
}

// ErrBusy means that an attempt waited for others until its context ended, or that too many wait
// already.
var ErrBusy = errors.New("throttle: too many attempts are in progress")

// Guard counts attempts before the password is checked, so that many concurrent attempts gain
// nothing. It knows names as they were typed, and addresses, but not which accounts exist: it
// treats an unknown name like a known one. It is safe for concurrent use.
type Guard struct {
	logins, presents         guesses
	known                    *known // addresses and names
	devices                  *Limiter
	addresses, registrations *Limiter
}

// guesses counts the guesses at one kind of target.
type guesses struct{ pairs, names *Limiter }

// NewGuard returns a guard that counts in this process. Now is nil for [time.Now].
func NewGuard(now func() time.Time) *Guard { return NewSharedGuard(nil, now) }

// NewSharedGuard returns a guard that counts together with those of other servers.
func NewSharedGuard(shared *Shared, now func() time.Time) *Guard {
	limiter := func(name string, rate Rate) *Limiter {
		l := NewLimiter(rate, now)
		l.shared, l.name = shared, name
		return l
	}
	return &Guard{
		logins:        guesses{limiter("login", perPair), limiter("login name", perName)},
		presents:      guesses{limiter("present", perPair), limiter("present name", perName)},
		known:         &known{newMemory(knownFor, now), shared},
		devices:       limiter("device", perPair),
		addresses:     limiter("address", perAddress),
		registrations: limiter("register", perRegister),
	}
}

// known remembers keys here, and where all servers see them.
type known struct {
	here   *memory
	shared *Shared // or nil
}

func (k *known) put(key string) {
	k.here.put(key)
	if k.shared != nil {
		k.shared.put(key, k.here.keep)
	}
}

func (k *known) has(ctx context.Context, key string) (bool, error) {
	if k.here.has(key) || k.shared == nil {
		return k.here.has(key), nil
	}
	return k.shared.has(ctx, key)
}

// Attempt is an attempt in progress. End it with Wrong, Right or Return; only the first call
// counts.
type Attempt struct {
	taken   []taken
	known   *known
	home    string // stored as known if the password was right
	settled bool
}

type taken struct {
	limiter *Limiter
	key     string
}

// Login begins an attempt to log in under a name, from a device that [Devices] knows for this name
// ("" for any other). A known device is counted by itself, so that neither strangers who guess at
// the name nor other users of the address slow its user down. Guesses from elsewhere do not slow
// down an address from which somebody has logged in under the name. Login waits for attempts in
// progress whose outcome decides. It returns [*TooMany], [ErrBusy] or [ErrUnavailable].
func (g *Guard) Login(ctx context.Context, from netip.Addr, name, device string) (*Attempt, error) {
	address := addressKey(from)
	pair := address + " " + name
	if device != "" {
		return take(ctx, g.known, pair, taken{g.devices, device})
	}
	return g.guess(ctx, g.logins, address, name, pair)
}

// Password begins an attempt of a logged-in user to confirm the present password. It is counted
// apart from the logins of the name, which anybody can attempt, and otherwise in the same way. It
// returns [*TooMany], [ErrBusy] or [ErrUnavailable].
func (g *Guard) Password(ctx context.Context, from netip.Addr, userID int64, name string) (*Attempt, error) {
	address, user := addressKey(from), strconv.FormatInt(userID, 10)
	return g.guess(ctx, g.presents, address, user, address+" "+name)
}

// guess begins a guess from an address at a target. Home is the address and the name under
// which the address is known.
func (g *Guard) guess(ctx context.Context, of guesses, address, target, home string) (*Attempt, error) {
	// The order is the same everywhere, so that no two attempts wait for each other. The name comes
	// last, so that an address which has used up its own allowance takes nothing from others.
	limits := []taken{{of.pairs, address + " " + target}, {g.addresses, address}}
	known, err := g.known.has(ctx, home)
	if err != nil {
		return nil, err
	}
	if !known {
		limits = append(limits, taken{of.names, target})
	}
	return take(ctx, g.known, home, limits...)
}

// Register begins an attempt to make an account. An answer must say that a name is taken, so all
// that can be done is to answer rarely: end it with Wrong whether or not an account was made, and
// with Return if the answer does not say that. It returns [*TooMany], [ErrBusy] or [ErrUnavailable].
func (g *Guard) Register(ctx context.Context, from netip.Addr) (*Attempt, error) {
	return take(ctx, nil, "", taken{g.registrations, addressKey(from)})
}

// Wrong counts the attempt.
func (a *Attempt) Wrong() { a.settle(true) }

// Return takes the attempt back: it was no wrong guess. Success has no other effect on the counts,
// because otherwise an attacker with an account could clear those of the address by logging in.
func (a *Attempt) Return() { a.settle(false) }

// Right takes the attempt back, and records that the user was at this address.
func (a *Attempt) Right() {
	a.known.put(a.home)
	a.settle(false)
}

func (a *Attempt) settle(wrong bool) {
	if a.settled {
		return
	}
	a.settled = true
	for _, t := range a.taken {
		t.limiter.Settle(t.key, wrong)
	}
}

func take(ctx context.Context, known *known, home string, from ...taken) (*Attempt, error) {
	a := &Attempt{known: known, home: home}
	for _, t := range from {
		if err := t.limiter.Take(ctx, t.key); err != nil {
			a.Return()
			return nil, err
		}
		a.taken = append(a.taken, t)
	}
	return a, nil
}

// addressKey returns the address for IPv4, and the network of 64 bits for IPv6, because a client
// with one of its addresses has all of them (RFC 4291, 2.5.1).
func addressKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
