// Package e2e tests the server in a real browser.
package e2e

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"

	"github.com/nestsession/session"
	"github.com/nestsession/session/cmd/nestsession/internal/passwords"
	"github.com/nestsession/session/cmd/nestsession/internal/users"
	"github.com/nestsession/session/cmd/nestsession/internal/web"
)

// maxWait limits a whole scenario, on a slow machine with the race detector.
const maxWait = 5 * time.Minute

// startChromium starts a browser with a profile of its own, and returns the
// context in which tabs are opened.
func startChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	path := findChromium(t)
	allocator, stop := chromedp.NewExecAllocator(context.Background(), append([]chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path),
		chromedp.UserDataDir(t.TempDir()),
		chromedp.Headless,
		chromedp.NoSandbox, // a container has no user namespaces, and only our own pages are loaded
		chromedp.DisableGPU,
		chromedp.NoFirstRun,
		chromedp.NoDefaultBrowserCheck,
		chromedp.WSURLReadTimeout(time.Minute),
		chromedp.Flag("disable-quic", true),
		chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("disable-features", "Translate,OptimizationHints,MediaRouter"),
		chromedp.Flag("force-color-profile", "srgb"),
		// Every other host than the loopback is answered with an error: nothing is sent to the
		// network.
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"),
	}, more...)...)
	t.Cleanup(stop)
	browser, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(closeBrowser)
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("%s does not start: %v", path, err)
	}
	return browser
}

func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome-stable", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Fatal("there is no Chromium to test the pages with: run .ci/setup-chromium.sh, or set CHROMIUM to the path of one")
	return ""
}

// startServer serves an App whose password hashes are cheap, without any account.
func startServer(t *testing.T) (url string) {
	t.Helper()
	hasher, err := passwords.NewHasher(passwords.Params{Memory: 8, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}, 0)
	if err != nil {
		t.Fatal(err)
	}
	accounts, err := users.Open(t.Context(), filepath.Join(t.TempDir(), "users.db"), hasher)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accounts.Close() })
	quiet := slog.New(slog.DiscardHandler)
	app, err := web.New(web.Config{
		Session: session.Config{
			Secrets: []string{"a secret for the tests alone"},
			Cookie:  session.Cookie{MaxAge: 7 * 24 * time.Hour, Secure: session.SecureAuto},
			Logger:  quiet,
		},
		Users:  accounts,
		Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = app.Close() })
	server := httptest.NewServer(app)
	t.Cleanup(server.Close)
	return server.URL
}

// tab is a window with cookies, cache and history of its own.
type tab struct {
	*testing.T
	ctx    context.Context
	url    string
	marked bool // see mark
	mu     sync.Mutex
	errors []string
}

// open opens a tab at a path of a new server.
func open(t *testing.T, browser context.Context, path string) *tab {
	t.Helper()
	b := openAt(t, browser, startServer(t))
	b.navigate(path)
	return b
}

// openAt opens an empty tab for the server at url.
func openAt(t *testing.T, browser context.Context, url string) *tab {
	t.Helper()
	return newTab(t, browser, url, chromedp.WithNewBrowserContext())
}

// openBeside opens a second window of the same browser, cookies included.
func openBeside(t *testing.T, b *tab) *tab {
	t.Helper()
	return newTab(t, b.ctx, b.url)
}

func newTab(t *testing.T, parent context.Context, url string, o ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(parent, o...)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(ctx, maxWait)
	t.Cleanup(cancel)
	b := &tab{T: t, ctx: ctx, url: url}
	b.watchConsole()
	return b
}

// watchConsole collects the errors of a page, such as a style sheet that the content security
// policy blocks.
func (b *tab) watchConsole() {
	messages := chromedp.Console(b.ctx)
	go func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.errors = append(b.errors, m.String())
			b.mu.Unlock()
		}
	}()
}

func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.Fatal(err)
	}
}

func run[T any](b *tab, a chromedp.Action[T]) T {
	b.Helper()
	v, err := chromedp.Run(b.ctx, a)
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func (b *tab) navigate(path string) {
	b.Helper()
	b.do(chromedp.Navigate(b.url + path))
}

// fill types into the fields of the page's form, as a user does.
func (b *tab) fill(fields ...string) {
	b.Helper()
	for i := 0; i < len(fields); i += 2 {
		b.do(chromedp.SendKeys(chromedp.CSS(`input[name="`+fields[i]+`"]`), fields[i+1]))
	}
}

// press clicks on the button or the link with this text, and waits for the next page.
func (b *tab) press(text string) {
	b.Helper()
	at := `//main//*[self::a or self::button][normalize-space()="` + text + `"]`
	if _, err := chromedp.RunResponse(b.ctx, chromedp.Click(at)); err != nil {
		b.Fatalf("press %q: %v", text, err)
	}
}

// step goes back or forward in the history. It waits for the page to load, or to be shown again
// from memory, without loading. Such a page is the one that might show private data.
func (b *tab) step(by int64) {
	b.Helper()
	ctx, stop := context.WithCancel(b.ctx)
	defer stop()
	arrived := make(chan struct{}, 8)
	if err := chromedp.Listen(ctx, func(event any) {
		navigated, ok := event.(*page.EventFrameNavigated)
		restored := ok && navigated.Type == page.NavigationTypeBackForwardCacheRestore
		if _, loaded := event.(*page.EventLoadEventFired); loaded || restored {
			select {
			case arrived <- struct{}{}:
			default: // one is enough
			}
		}
	}); err != nil {
		b.Fatal(err)
	}
	history := run(b, chromedp.NavigationEntries())
	entry := history.Entries[history.CurrentIndex+by]
	if _, err := chromedp.Call(ctx, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: entry.ID}); err != nil {
		b.Fatal(err)
	}
	select {
	case <-arrived:
	case <-ctx.Done():
		b.Fatalf("going to %s: %v", entry.URL, ctx.Err())
	}
}

// text returns the visible text of the page.
func (b *tab) text() string {
	b.Helper()
	return run(b, chromedp.Text(chromedp.CSS("main")))
}

// path returns the path of the tab.
func (b *tab) path() string {
	b.Helper()
	return run(b, chromedp.Location())[len(b.url):]
}

func (b *tab) signUp(name, password string) {
	b.Helper()
	b.navigate("/register")
	b.fill("username", name, "password", password)
	b.press("Sign up")
}

// scheme makes the browser prefer light or dark.
func (b *tab) scheme(name string) {
	b.Helper()
	if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}); err != nil {
		b.Fatal(err)
	}
}

// photograph writes a picture of the page to the folder SCREENSHOTS, for a person to look at.
func (b *tab) photograph(name string) {
	b.Helper()
	folder := os.Getenv("SCREENSHOTS")
	if folder == "" {
		return
	}
	shot, err := chromedp.Call(b.ctx, page.CaptureScreenshot, page.CaptureScreenshotParams{})
	if err != nil {
		b.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), shot.Data, 0o600); err != nil {
		b.Fatal(err)
	}
}
