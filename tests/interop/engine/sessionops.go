package engine

import (
	"errors"
	"slices"
	"time"

	"github.com/nestsession/session"
	"github.com/nestsession/session/tests/interop/scenario"
)

// onSession runs an operation on the session that the request has.
func (h *handler) onSession(op scenario.Op) (*scenario.Value, error) {
	s, ctx := h.session, h.r.Context()
	switch op.Kind {
	case "id":
		return observed(s.ID()), nil
	case "cookie":
		return observed(h.w.describe(s)), nil
	case "setMaxAge":
		d, err := maxAgeOf(op.Value)
		if err == nil {
			s.SetMaxAge(d)
		}
		return nil, err
	case "setCookie":
		c, err := cookieOf(s.Cookie(), op.Cookie, h.w.Now())
		if err == nil {
			s.SetCookie(c)
		}
		if err == nil && c.Expires.IsZero() && assignsLifetime(op.Cookie) {
			s.SetMaxAge(c.MaxAge) // from now on, even if the session had this lifetime
		}
		return nil, err
	case "touch":
		s.Touch()
		return nil, nil
	case "save":
		err := h.req.during(true, func() error { return s.Save(ctx) })
		h.learnID()
		return outcome(err), nil
	case "reload":
		return outcome(h.req.during(false, func() error { return s.Reload(ctx) })), nil
	case "regenerate":
		err := h.req.during(false, func() error { return s.Regenerate(ctx) })
		if !errors.Is(err, session.ErrHeaderSent) {
			h.req.regenerated()
		}
		return outcome(err), nil
	}
	return outcome(h.destroy()), nil
}

// destroy ends the session. In Express the request has no session afterwards, even if the store has
// failed.
func (h *handler) destroy() error {
	s := h.session
	h.forget()
	err := h.req.during(false, func() error { return s.Destroy(h.r.Context()) })
	if err != nil {
		s.Discard()
	}
	return err
}

func assignsLifetime(set scenario.CookieOptions) bool {
	return slices.ContainsFunc(set, func(o scenario.CookieOption) bool { return o.Name == "maxAge" || o.Name == "expires" })
}

func outcome(err error) *scenario.Value {
	ok := err == nil
	v := &scenario.Value{OK: &ok}
	if err != nil {
		text := err.Error()
		v.Error = &text
	}
	return v
}

// forget removes the session from the request.
func (h *handler) forget() {
	h.learnID()
	h.session = nil
}

// drop is `req.session = null`: nothing of this request is stored or sent. With unset "destroy" the
// record is removed when the response ends.
func (h *handler) drop() {
	s := h.session
	if s == nil {
		return
	}
	h.forget()
	s.Discard()
	if h.layer.Options.UnsetDestroys {
		h.unset = s
	}
}

// destroyUnset is what unset "destroy" does at the end of the response. A failure is only logged.
func (h *handler) destroyUnset() {
	s := h.unset
	if s == nil {
		return
	}
	h.unset = nil
	if err := h.req.during(false, func() error { return s.Destroy(h.r.Context()) }); err != nil {
		h.req.late(err)
		s.Discard()
	}
}

// describe returns the session's cookie as the handler sees it.
func (w *World) describe(s *session.Session[Data]) any {
	c := s.Cookie()
	now := w.Now()
	d := map[string]any{
		"path": c.Path, "httpOnly": !c.InsecureScriptAccess, "secure": c.Secure == session.SecureAlways,
		"partitioned": c.Partitioned, "domain": c.Domain, "sameSite": sameSiteText[c.SameSite],
		"priority": priorityText[c.Priority],
	}
	switch c.Path {
	case "":
		d["path"] = "/"
	case session.NoPath:
		d["path"] = nil
	}
	switch c.MaxAge {
	case 0:
		d["originalMaxAge"] = nil
	case session.UntilClosed:
		d["originalMaxAge"] = false
	default:
		d["originalMaxAge"] = float64(c.MaxAge.Truncate(time.Millisecond).Milliseconds())
	}
	if at := s.Expires(); !at.IsZero() {
		d["maxAge"] = float64(at.UnixMilli() - now.UnixMilli())
		d["expires"] = at
	} else if c.MaxAge == session.UntilClosed {
		d["maxAge"], d["expires"] = false, false
	}
	return d
}

var sameSiteText = map[session.SameSite]any{
	session.SameSiteLax: "lax", session.SameSiteStrict: "strict", session.SameSiteNone: "none",
	session.SameSiteAuto: "auto", session.SameSiteOmit: nil,
}

var priorityText = map[session.Priority]any{
	session.PriorityOmit: nil, session.PriorityLow: "low",
	session.PriorityMedium: "medium", session.PriorityHigh: "high",
}
