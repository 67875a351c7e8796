package websocketsession

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// The reasons that go with the close codes.
const (
	ReasonLoggedOut = "logged out"                     // 1008: destroyed, regenerated or revoked, here or elsewhere
	ReasonExpired   = "session expired"                // 1008: its idle or absolute timeout has passed
	ReasonGoingAway = "server is going away"           // 1001: the manager was closed, or the request's context ended
	ReasonUnknown   = "session could not be looked up" // 1013: its time was over as far as was known, and the store does not answer
	ReasonInternal  = "internal error"                 // 1011: the handler returned an error, which is not told
)

// The values of Options.CloseTimeout.
const (
	DefaultCloseTimeout = 2 * time.Second
	MaxCloseTimeout     = 5 * time.Second
)

// keepAlivePause is for how long a store that has failed to keep a session alive is left
// in peace by a connection.
const keepAlivePause = 5 * time.Second

// Options says how a connection is served. The zero value of each field is its default.
type Options struct {
	// Accept is the library's: subprotocols, compression, other origins. The check of
	// the origin cannot be switched off, neither by InsecureSkipVerify nor by a pattern
	// that any host fits: a browser sends the session's cookie along whichever site
	// opens the connection, and this check alone tells that site from yours (cross-site
	// WebSocket hijacking, CWE-1385). Default: the request's own host.
	Accept *websocket.AcceptOptions

	// CloseTimeout is how long the client may take to answer the close frame, and what
	// was being written to be taken, before the connection is cut. Default: 2 seconds.
	// At most 5.
	CloseTimeout time.Duration

	// NoKeepAlive does not count the messages that are read as use of the session. For
	// pages that send some by themselves; the handler calls
	// [session.Session.KeepAlive] for those that show that the user is there.
	NoKeepAlive bool
}

// ErrOptions says that Options cannot work; the error says what to write instead.
var ErrOptions = errors.New("websocketsession: Options")

// settle checks the options, fills in the defaults and returns what the library gets.
func (o *Options) settle() (*websocket.AcceptOptions, error) {
	if o.CloseTimeout < 0 || o.CloseTimeout > MaxCloseTimeout {
		return nil, fmt.Errorf("%w.CloseTimeout: %v; write a duration up to %v, or 0 for %v", ErrOptions, o.CloseTimeout, MaxCloseTimeout, DefaultCloseTimeout)
	}
	if o.CloseTimeout == 0 {
		o.CloseTimeout = DefaultCloseTimeout
	}
	if o.Accept == nil {
		return nil, nil
	}
	accept := *o.Accept
	if accept.InsecureSkipVerify {
		return nil, fmt.Errorf("%w.Accept.InsecureSkipVerify: any site could use a visitor's session; name those that may in OriginPatterns", ErrOptions)
	}
	for _, p := range accept.OriginPatterns {
		if strings.Trim(p, "*") == "" || strings.HasSuffix(p, "://*") {
			return nil, fmt.Errorf("%w.Accept.OriginPatterns: %q lets any site use a visitor's session; name those that may", ErrOptions, p)
		}
	}
	return &accept, nil
}
