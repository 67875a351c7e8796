package websocketsession

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// The reasons that are sent with the close codes.
const (
	ReasonLoggedOut = "logged out"                     // 1008: destroyed, regenerated or revoked, here or elsewhere
	ReasonExpired   = "session expired"                // 1008: its idle or absolute timeout has passed
	ReasonGoingAway = "server is going away"           // 1001: the manager was closed, or the request's context ended
	ReasonUnknown   = "session could not be looked up" // 1013: it had expired as far as was known, and the store does not answer
	ReasonInternal  = "internal error"                 // 1011: the handler returned an error, which is not sent
)

// The values of Options.CloseTimeout.
const (
	DefaultCloseTimeout = 2 * time.Second
	MaxCloseTimeout     = 5 * time.Second
)

// keepAlivePause is how long a connection waits after the store has failed to keep the session
// alive.
const keepAlivePause = 5 * time.Second

// Options says how a connection is served. The zero value of each field is its default.
type Options struct {
	// Accept is the library's: subprotocols, compression, other origins. Neither
	// InsecureSkipVerify nor a pattern that matches any host can switch off the check of
	// the origin. A browser sends the session's cookie whichever site opens the
	// connection, and only this check keeps other sites out (cross-site WebSocket
	// hijacking, CWE-1385). Default: the request's own host.
	Accept *websocket.AcceptOptions

	// CloseTimeout is how long the client may take to receive what is being written, and
	// to answer the close frame, before the connection is cut. Default: 2 seconds. At
	// most 5.
	CloseTimeout time.Duration

	// NoKeepAlive means that messages do not count as a use of the session. It is for
	// pages that send messages without the user. The handler then calls
	// [session.Session.KeepAlive] for those that show that the user is present.
	NoKeepAlive bool
}

// ErrOptions says that Options cannot work; the error says what to write instead.
var ErrOptions = errors.New("websocketsession: Options")

// withDefaults checks the options, sets the defaults and returns the library's options.
func (o *Options) withDefaults() (*websocket.AcceptOptions, error) {
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
