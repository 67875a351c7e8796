package session

import (
	"context"
	"fmt"
	"github.com/nestsession/session/internal/document"
	"log/slog"
)

// EventUnread: a member of the session's document is not of its field's type. The
// field is its zero value, the member keeps its text through each save that does not
// change the field, and the session goes on. Err names the key, and not the value.
const EventUnread EventKind = "member not read"

// ReasonMember is the reason of an [EventUnread].
const ReasonMember Reason = "undecodable member"

// unreadMembers reports the members of a document that did not fit. The events come
// each time, the warning once a minute.
func (c *core) unreadMembers(ctx context.Context, misfits []document.Misfit, owner, key string) {
	if len(misfits) == 0 {
		return
	}
	for _, m := range misfits {
		c.emit(ctx, Event{Kind: EventUnread, Owner: owner, Reason: ReasonMember, Err: m.Err}, key)
	}
	now := c.now().Unix()
	if last := c.warnedMember.Load(); now-last < 60 || !c.warnedMember.CompareAndSwap(last, now) {
		return
	}
	c.logger.LogAttrs(quietContext{ctx, c}, slog.LevelWarn, "session: a stored member was not read, since it is not of its field's type",
		slog.String("error", misfits[0].Err.Error()), slog.String("members", fmt.Sprint(len(misfits))))
}
