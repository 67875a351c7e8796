package client

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nestsession/session/tests/interop/scenario"
)

func TestSignIsCookieSignatures(t *testing.T) {
	t.Parallel()
	// From the golden vectors.
	const want = "s:Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK.cQwdSXdOrmfYXv8KSRWK2xaL0HjphQ+4EKFNo49uFS0"
	if got := Sign("keyboard", "Zk3vQh1cT9yUeWm2LrXa0BpDsGnJf7oK"); got != want {
		t.Errorf("signed as %s", got)
	}
	if id, by, ok := Verify(want, []string{"other", "keyboard"}); !ok || by != 1 || id != want[2:34] {
		t.Errorf("verified as %q by %d, %v", id, by, ok)
	}
	if _, _, ok := Verify(want+"A", []string{"keyboard"}); ok {
		t.Error("a longer signature verifies")
	}
}

func TestEveryPart(t *testing.T) {
	t.Parallel()
	var jar Jar
	raw := Sign("s", "a/b.Ac")
	id, sig, _ := Split(raw)
	jar.Set("n", Escape(raw))
	jar.Set("plain", "x%41")
	first := "A"
	if sig[0] == 'A' {
		first = "B"
	}
	for _, c := range []struct {
		part scenario.Part
		want string
	}{
		{scenario.Part{Kind: scenario.PartText, Text: `a; b="é`}, `a; b="é`},
		{scenario.Part{Kind: scenario.PartJar, Name: "n"}, Escape(raw)},
		{scenario.Part{Kind: scenario.PartDecoded, Name: "n"}, raw},
		{scenario.Part{Kind: scenario.PartLowerHex, Name: "n"}, strings.NewReplacer("%3A", "%3a", "%2F", "%2f", "%2B", "%2b").Replace(Escape(raw))},
		{scenario.Part{Kind: scenario.PartID, Name: "n"}, id},
		{scenario.Part{Kind: scenario.PartSig, Name: "n"}, Escape(sig)},
		{scenario.Part{Kind: scenario.PartURLSafeSig, Name: "n"}, strings.NewReplacer("+", "-", "/", "_").Replace(sig)},
		{scenario.Part{Kind: scenario.PartSigFlip, Name: "n"}, Escape("s:" + id + "." + first + sig[1:])},
		{scenario.Part{Kind: scenario.PartIDFlip, Name: "n"}, Escape("s:A/b.Ac." + sig)},
		{scenario.Part{Kind: scenario.PartCut, Name: "plain", N: 3}, "x"},
		{scenario.Part{Kind: scenario.PartSign, Secret: "z", ID: "é"}, Escape(Sign("z", "é"))},
		{scenario.Part{Kind: scenario.PartSignRaw, Secret: "z", ID: "é"}, Sign("z", "é")},
		{scenario.Part{Kind: scenario.PartSignJarID, Secret: "z", Name: "n"}, Escape(Sign("z", id))},
		{scenario.Part{Kind: scenario.PartEncode, Inner: &scenario.Part{Kind: scenario.PartJar, Name: "plain"}}, "x%2541"},
		{scenario.Part{Kind: scenario.PartRepeat, Text: "ab", N: 3}, "ababab"},
		{scenario.Part{Kind: scenario.PartLatin1, Text: "é"}, "\xe9"},
	} {
		if got, err := jar.Join([]scenario.Part{c.part}); err != nil || got != c.want {
			t.Errorf("%s: %q, %v; expected %q", c.part.Kind, got, err, c.want)
		}
	}
	for _, p := range []scenario.Part{
		{Kind: scenario.PartJar, Name: "none"}, {Kind: scenario.PartID, Name: "plain"},
		{Kind: scenario.PartCut, Name: "plain", N: 9}, {Kind: "unheard of", Name: "n"},
	} {
		if got, err := jar.Join([]scenario.Part{p}); err == nil {
			t.Errorf("%s of %q is %q", p.Kind, p.Name, got)
		}
	}
}

func TestFlipReplacesAByBAndOthersByA(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{"Ax": "Bx", "Bx": "Ax", "éx": "Ax", "": ""} {
		if got := flip(in); got != want {
			t.Errorf("%q becomes %q", in, got)
		}
	}
}

func TestJarKeepsEverythingInOrderOfArrival(t *testing.T) {
	t.Parallel()
	var jar Jar
	start := time.UnixMilli(1000)
	verify := func(name, value string) (string, int, bool) { return Verify(value, []string{"s"}) }
	first := jar.Receive([]string{
		"b=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=0", "a=" + Escape(Sign("s", "i")) + "; Path=/; HttpOnly", "b=2; Secure; secure=x; Path=/; Path=/x",
	}, verify, start)
	if line := jar.Line(); line != "b=2; a="+Escape(Sign("s", "i")) {
		t.Errorf("the jar sends %s", line)
	}
	if c := first[0]; c.Value == nil || *c.Value != "1" || c.Attrs["Expires"].(map[string]any)["in"] != -1000.0 || c.Attrs["Max-Age"] != "0" {
		t.Errorf("the first is %+v", c.Shown())
	}
	if c := first[1]; c.ID == nil || *c.ID != "i" || c.Change != "new" || *c.SignedBy != 0 || c.Attrs["HttpOnly"] != true {
		t.Errorf("the second is %+v", c.Shown())
	}
	if c := first[2]; c.Attrs["Secure"] != true || c.Attrs["secure"] != "x" || c.Attrs["Path (twice)"] != "/x" {
		t.Errorf("the third is %+v", c.Shown())
	}
	again := jar.Receive([]string{"a=" + Escape(Sign("s", "i")), "a=" + Escape(Sign("t", "i"))}, verify, start)
	if again[0].Change != "same" || again[1].ID != nil {
		t.Errorf("then come %+v and %+v", again[0].Shown(), again[1].Shown())
	}
}

// The request is sent byte for byte, and interim responses are read.
func TestRequestsAreWrittenByteForByte(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	head := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			head <- err.Error()
			return
		}
		defer conn.Close()
		var b strings.Builder
		for in := bufio.NewReader(conn); !strings.HasSuffix(b.String(), "\r\n\r\n"); {
			line, err := in.ReadString('\n')
			b.WriteString(line)
			if err != nil {
				break
			}
		}
		head <- b.String()
		_, _ = io.WriteString(conn, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nSet-Cookie: a=1\r\n\r\n"+
			"HTTP/1.1 102 Processing\r\n\r\n"+
			"HTTP/1.1 204 No Content\r\nX-A: 1\r\nX-A: 2\r\n\r\n")
	}()
	r := Request{
		Addr: l.Addr().String(), Method: "POST", Path: "/%zz?a b", Cookies: []string{"a=\xe9;;", " b"},
		Headers: []scenario.Header{{Name: "x-Odd", Values: []string{" 1", "2 "}}},
	}
	resp, err := r.Do()
	if err != nil {
		t.Fatal(err)
	}
	want := "POST /%zz?a b HTTP/1.1\r\nx-Odd:  1\r\nx-Odd: 2 \r\nHost: " + r.Addr + "\r\nConnection: close\r\n" +
		"Content-Length: 0\r\nCookie: a=\xe9;;\r\nCookie:  b\r\n\r\n"
	if got := <-head; got != want {
		t.Errorf("written:\n%q\nexpected:\n%q", got, want)
	}
	if resp.Status != http.StatusNoContent || len(resp.Header["X-A"]) != 2 || len(resp.Interim) != 2 ||
		resp.Interim[0] != (scenario.Interim{Status: 103, SetCookie: true}) || resp.Interim[1] != (scenario.Interim{Status: 102}) {
		t.Errorf("the response is %+v", resp)
	}
}
