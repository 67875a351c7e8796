package session_test

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/netip"

	"github.com/nestsession/session"
)

// What a page "your devices" shows, without an application that notes it at the login.
func ExampleDevices() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Devices: session.Devices{
			Addresses:  true, // as the networks of 24 and 48 bits in which they are
			UserAgents: true,
			ClientAddress: func(r *http.Request) netip.Addr { // behind a proxy that sets this field
				addr, _ := netip.ParseAddr(r.Header.Get("X-Real-Ip"))
				return addr
			},
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("GET /devices", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		for info, err := range accounts.List(r.Context(), s.Owner()) {
			if err != nil {
				http.Error(w, "try again", http.StatusServiceUnavailable)
				return
			}
			d := info.Device
			fmt.Println(d.UserAgent, "from", d.FirstAddress, "now from", d.LastAddress, "current:", info.Digest == s.Digest())
		}
	}))
	proxied := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // stands for the proxy and the client
		r.Header.Set("X-Real-Ip", "192.0.2.77")
		r.Header.Set("User-Agent", "Firefox")
		mux.ServeHTTP(w, r)
	})
	visit := visitor(proxied)
	visit("POST", "/login")
	visit("GET", "/devices")
	// Output: Firefox from 192.0.2.0/24 now from 192.0.2.0/24 current: true
}

// A user names a device.
func ExampleSession_SetDeviceName() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{Secrets: []string{"a secret of 16 bytes or more"}})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	mux := http.NewServeMux()
	mux.HandleFunc("POST /login", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	}))
	mux.HandleFunc("POST /name", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.SetDeviceName(r.FormValue("name"))
	}))
	mux.HandleFunc("GET /name", accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		fmt.Println(s.Device().Name)
	}))
	visit := visitor(mux)
	visit("POST", "/login")
	visit("POST", "/name?name=work+laptop")
	visit("GET", "/name")
	// Output: work laptop
}

func ExampleSession_Device() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Devices: session.Devices{Addresses: true, IPv4Bits: 32, IPv6Bits: 128}, // whole addresses
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	visit := visitor(accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		s.Update(func(a *Account) { a.User = "Ada" })
		if last := s.Device().LastAddress; last.IsValid() {
			fmt.Println("last seen at", last.Addr())
		} else {
			fmt.Println("not seen before")
		}
	}))
	visit("GET", "/") // httptest's requests come from 192.0.2.1
	visit("GET", "/")
	// Output:
	// not seen before
	// last seen at 192.0.2.1
}

// A user asks to erase what is known of the devices.
func ExampleManager_UpdateDevices() {
	type Account struct{ User string }
	accounts, err := session.New[Account](session.Config{
		Secrets: []string{"a secret of 16 bytes or more"},
		Devices: session.Devices{Addresses: true},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer accounts.Close()

	login := accounts.HandlerFunc(func(w http.ResponseWriter, r *http.Request, s *session.Session[Account]) {
		if err := s.Login(r.Context(), "user:42"); err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
		}
	})
	visitor(login)("POST", "/login") // at the desk
	visitor(login)("POST", "/login") // on the phone

	erase := func(_ string, d *session.Device) { *d = session.Device{} }
	n, err := accounts.UpdateDevices(context.Background(), "user:42", erase)
	fmt.Println(n, err)
	// Output: 2 <nil>
}
