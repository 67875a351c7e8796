package e2e

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// thief is curl with a copy of all cookies of a browser, and without its key.
type thief struct {
	*testing.T
	url string
	jar string // a file in the format of curl
}

// steal copies the cookies that the browser would send to the site now, but those of the names.
func (b *boundTab) steal(without ...string) *thief {
	b.Helper()
	got, err := chromedp.Call(b.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{b.url + "/"}})
	if err != nil {
		b.Fatal(err)
	}
	var jar strings.Builder
	jar.WriteString("# Netscape HTTP Cookie File\n")
	for _, c := range got.Cookies {
		if !slices.Contains(without, c.Name) {
			fmt.Fprintf(&jar, "%s\tFALSE\t%s\tTRUE\t%d\t%s\t%s\n", c.Domain, c.Path, time.Now().Add(time.Hour).Unix(), c.Name, c.Value)
		}
	}
	th := &thief{T: b.T, url: b.url, jar: filepath.Join(b.TempDir(), "jar")}
	if err := os.WriteFile(th.jar, []byte(jar.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return th
}

func (th *thief) arguments() []string {
	return []string{
		"--silent", "--show-error", "--insecure", "--http1.1", "--noproxy", "*",
		"--resolve", strings.TrimPrefix(th.url, "https://") + ":127.0.0.1", "--cookie", th.jar, "--header", "Sec-Fetch-Site: same-origin",
	}
}

// listen opens a stream. begun is closed with its first bytes, and ended at its end.
func (th *thief) listen(path string) (begun, ended <-chan struct{}) {
	th.Helper()
	command := exec.CommandContext(th.Context(), "curl", append(th.arguments(), "--no-buffer", th.url+path)...)
	out, err := command.StdoutPipe()
	if err != nil {
		th.Fatal(err)
	}
	if err := command.Start(); err != nil {
		th.Fatal(err)
	}
	first, last := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(last)
		if n, _ := out.Read(make([]byte, 1)); n > 0 {
			close(first)
		}
		_, _ = io.Copy(io.Discard, out)
		_ = command.Wait()
	}()
	return first, last
}

// send sends a request with the cookies, and keeps those of the answer.
func (th *thief) send(method, path string, fields ...string) (*http.Response, string) {
	th.Helper()
	arguments := append(th.arguments(), "--include", "--raw", "--max-time", strconv.Itoa(int(soon.Seconds())), "--cookie-jar", th.jar, "--request", method)
	for i := 0; i < len(fields); i += 2 {
		arguments = append(arguments, "--header", fields[i]+": "+fields[i+1])
	}
	command := exec.CommandContext(th.Context(), "curl", append(arguments, th.url+path)...)
	var problem bytes.Buffer
	command.Stderr = &problem
	out, err := command.Output()
	if err != nil {
		th.Fatalf("curl: %v: %s", err, problem.String())
	}
	answer, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(out)), nil)
	if err != nil {
		th.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		th.Fatal(err)
	}
	return answer, string(body)
}

// wantRefused checks that nobody is logged in who comes with these cookies.
func (th *thief) wantRefused(when string) {
	th.Helper()
	if answer, body := th.send("GET", "/me"); answer.StatusCode != http.StatusUnauthorized || strings.Contains(body, "kim") {
		th.Errorf("%s: curl with the cookies is answered %d: %q; want 401", when, answer.StatusCode, body)
	}
}

func (th *thief) wantLet(when string) {
	th.Helper()
	if answer, body := th.send("GET", "/me"); answer.StatusCode != http.StatusOK || !strings.Contains(body, "kim") {
		th.Errorf("%s: curl with the cookies is answered %d: %q; want 200", when, answer.StatusCode, body)
	}
}

// sign signs a challenge as the browser does, with a key of its own.
func (th *thief) sign(challenge string, withKey bool) string {
	th.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		th.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		th.Fatal(err)
	}
	encode := base64.RawURLEncoding.EncodeToString
	header := `{"alg":"ES256","typ":"dbsc+jwt"}`
	if withKey {
		header = fmt.Sprintf(`{"alg":"ES256","jwk":{"crv":"P-256","kty":"EC","x":"%s","y":"%s"},"typ":"dbsc+jwt"}`, encode(point[1:33]), encode(point[33:]))
	}
	text := encode([]byte(header)) + "." + encode(fmt.Appendf(nil, `{"jti":%q}`, challenge))
	sum := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
	if err != nil {
		th.Fatal(err)
	}
	signature := bytes.Join([][]byte{r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))}, nil)
	return text + "." + encode(signature)
}

// challengeOf returns the challenge of an answer.
func challengeOf(h http.Header) string {
	_, rest, _ := strings.Cut(h.Get("Secure-Session-Challenge"), `"`)
	challenge, _, _ := strings.Cut(rest, `"`)
	return challenge
}
