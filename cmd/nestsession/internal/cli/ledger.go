package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/nestsession/session/cmd/nestsession/internal/document"
	"github.com/nestsession/session/cmd/nestsession/internal/move"
	"github.com/nestsession/session/cmd/nestsession/internal/stores"
	"github.com/nestsession/session/store"
)

// openLedger opens the ledger of the two stores. It refuses if the ledger does not say which
// sessions were ended at the destination.
func (c *moveCommand) openLedger(ctx context.Context, dest *stores.Opened) (*move.Ledger, error) {
	path := c.Ledger
	if path == "" {
		folder, err := dataFolder(c.Data, false)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%t", c.source.Place(), c.dest.Place(), c.hashes()))
		path = filepath.Join(folder, "moves", hex.EncodeToString(sum[:8])+".ledger")
	}
	ledger, err := move.ReadLedger(path, c.NewLedger)
	if err != nil {
		return nil, fmt.Errorf("%w: name another one with --ledger FILE", err)
	}
	has, err := hasSessions(ctx, dest)
	if err != nil {
		return nil, fmt.Errorf("--to: %w", err)
	}
	switch n := ledger.Live(time.Now()); {
	case c.NewLedger:
	case has && !ledger.Found():
		return nil, fmt.Errorf("--to already has sessions, and there is no ledger of an earlier run (%s), so it is not known which sessions were ended there: "+
			"if the ledger is elsewhere, name it with --ledger FILE; if nothing was copied from --from to --to before, write --new-ledger", path)
	case !has && n > 0:
		return nil, fmt.Errorf("--to has none of the %d sessions that earlier runs copied there, according to the ledger %s: if all of them were ended, there is nothing to do; "+
			"if the store was emptied or created again, write --new-ledger to copy them again", n, path)
	}
	if err := ledger.Begin(); err != nil {
		return nil, errors.Join(fmt.Errorf("%w: name another file with --ledger FILE", err), ledger.Close())
	}
	return ledger, nil
}

// hasSessions reports whether a store has any.
func hasSessions(ctx context.Context, s store.Store) (bool, error) {
	lister, ok := store.As[store.Lister](s)
	if !ok {
		return false, fmt.Errorf("%T: listing: %w", s, errors.ErrUnsupported)
	}
	for r, err := range lister.List(ctx, "") {
		if notes, _ := document.Read(r.Data); err != nil || !notes.Over() {
			return err == nil, err
		}
	}
	return false, nil
}
