package throttle

import (
	"fmt"
	"net/netip"
	"time"
)

// The rates of a [Guard]. Five guesses are more than a forgetful user needs, and one
// a minute from then on is 1,440 a day, of a password of at least eight characters.
// An address may be shared by an office, hence its larger allowance.
var (
	perUser     = Rate{Burst: 5, Every: time.Minute}
	perAddress  = Rate{Burst: 20, Every: 15 * time.Second}
	perRegister = Rate{Burst: 20, Every: 15 * time.Second}
)

// TooMany is the error of an attempt that comes too soon.
type TooMany struct {
	After time.Duration // how long to wait
}

func (e *TooMany) Error() string {
	return fmt.Sprintf("throttle: too many attempts: wait %s", e.After)
}

// Guard counts attempts before the password is looked at, so that many at once
// gain nothing. It knows names only as they were typed and addresses, not which accounts
// exist: it treats an unknown name as it does a known one. It is safe for
// concurrent use.
type Guard struct {
	users, devices, addresses, registrations *Limiter
}

// NewGuard returns a guard. Now is nil for [time.Now].
func NewGuard(now func() time.Time) *Guard {
	return &Guard{
		users:         NewLimiter(perUser, now),
		devices:       NewLimiter(perUser, now),
		addresses:     NewLimiter(perAddress, now),
		registrations: NewLimiter(perRegister, now),
	}
}

// Attempt is what was counted for one attempt.
type Attempt struct {
	taken []taken
}

type taken struct {
	limiter *Limiter
	key     string
}

// Login counts an attempt to log in under a name, from a device that [Devices]
// knows for this name ("" for any other). A known device is counted by itself, so that
// strangers who keep guessing a name slow each other down but not its user. It
// returns [*TooMany].
func (g *Guard) Login(from netip.Addr, name, device string) (*Attempt, error) {
	if device != "" {
		return take(taken{g.addresses, addressKey(from)}, taken{g.devices, device})
	}
	return take(taken{g.addresses, addressKey(from)}, taken{g.users, name})
}

// Password counts an attempt of a user who is logged in to prove the present
// password. It is counted apart from the logins of the name, which anybody can
// attempt. It returns [*TooMany].
func (g *Guard) Password(from netip.Addr, userID int64) (*Attempt, error) {
	return take(taken{g.addresses, addressKey(from)}, taken{g.devices, fmt.Sprintf("user:%d", userID)})
}

// Register counts an attempt to make an account. There is no way not to say that
// a name is taken, so what can be done is to say it rarely. It returns [*TooMany].
func (g *Guard) Register(from netip.Addr) error {
	_, err := take(taken{g.registrations, addressKey(from)})
	return err
}

// Return takes an attempt back that was no wrong guess. That is all that success
// does: an attacker with one account could otherwise clear the address by logging in.
func (a *Attempt) Return() {
	for _, t := range a.taken {
		t.limiter.Return(t.key)
	}
}

func take(from ...taken) (*Attempt, error) {
	a := &Attempt{}
	for _, t := range from {
		if wait := t.limiter.Take(t.key); wait > 0 {
			a.Return()
			return nil, &TooMany{After: wait}
		}
		a.taken = append(a.taken, t)
	}
	return a, nil
}

// addressKey is the address for IPv4, and the network of 64 bits for IPv6: who has
// one address of it has all of them (RFC 4291, 2.5.1).
func addressKey(a netip.Addr) string {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.String()
		}
	}
	return a.String()
}
