package client

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/nestsession/session/tests/interop/scenario"
)

// RequestTimeout is how long a request may take. No handler of a scenario waits, so a request that
// takes longer hangs.
const RequestTimeout = 2 * time.Minute

// Request is a request as it is sent.
type Request struct {
	Addr         string
	TLS          *tls.Config // nil: plain
	Method, Path string
	Cookies      []string // one Cookie line each
	Headers      []scenario.Header
}

// Response is a response as it was received.
type Response struct {
	Status  int
	Header  http.Header
	Body    string
	Interim []scenario.Interim
}

// Do sends one request over a new connection. The request line and all header lines are sent byte
// for byte, so that a scenario can send what no client library would.
func (r *Request) Do() (*Response, error) {
	conn, err := net.Dial("tcp", r.Addr)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if r.TLS != nil {
		conn = tls.Client(conn, r.TLS)
	}
	if err := conn.SetDeadline(time.Now().Add(RequestTimeout)); err != nil {
		return nil, err
	}
	if _, err := io.WriteString(conn, r.text()); err != nil {
		return nil, fmt.Errorf("writing the request: %w", err)
	}
	return read(conn, r.Method)
}

func (r *Request) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\n", r.Method, r.Path)
	given := map[string]bool{}
	for _, h := range r.Headers {
		given[strings.ToLower(h.Name)] = true
		for _, v := range h.Values {
			fmt.Fprintf(&b, "%s: %s\r\n", h.Name, v)
		}
	}
	if !given["host"] {
		fmt.Fprintf(&b, "Host: %s\r\n", r.Addr)
	}
	if !given["connection"] {
		b.WriteString("Connection: close\r\n")
	}
	switch r.Method {
	case "POST", "PUT", "PATCH":
		if !given["content-length"] {
			b.WriteString("Content-Length: 0\r\n")
		}
	}
	for _, line := range r.Cookies {
		fmt.Fprintf(&b, "Cookie: %s\r\n", line)
	}
	b.WriteString("\r\n")
	return b.String()
}

// read reads the interim responses and the final one.
func read(conn net.Conn, method string) (*Response, error) {
	in := bufio.NewReader(conn)
	var interim []scenario.Interim
	for {
		resp, err := http.ReadResponse(in, &http.Request{Method: method})
		if err != nil {
			return nil, fmt.Errorf("reading the response: %w", err)
		}
		if resp.StatusCode < 200 && resp.StatusCode != http.StatusSwitchingProtocols {
			interim = append(interim, scenario.Interim{
				Status: resp.StatusCode, SetCookie: len(resp.Header["Set-Cookie"]) > 0,
			})
			continue
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("reading the body after %q: %w", body, err), resp.Body.Close())
		}
		return &Response{
			Status: resp.StatusCode, Header: resp.Header, Body: string(body), Interim: interim,
		}, resp.Body.Close()
	}
}
