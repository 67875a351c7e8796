package embedded_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/nestsession/session/natsstore"
	"github.com/nestsession/session/natsstore/embedded"
	"github.com/nestsession/session/store"
)

// authority signs certificates.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pool *x509.CertPool
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "cluster"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{key: key, pool: x509.NewCertPool()}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.cert)
	return a
}

// config returns a TLS configuration with a certificate of the authority for the loopback.
func (a *authority) config(t testing.TB) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "node"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, RootCAs: a.pool, MinVersion: tls.VersionTLS12}
}

func freeAddrs(t testing.TB, n int) (addrs []string) {
	t.Helper()
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		addrs = append(addrs, l.Addr().String())
	}
	return addrs
}

// Three servers whose links are encrypted form a cluster. A fourth with another secret, or with a
// certificate of another authority, does not join it. Clients connect with TLS and the secret.
func TestEncryptedCluster(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	ours, theirs := newAuthority(t), newAuthority(t)
	addrs := freeAddrs(t, 6)
	routes := addrs[:3]
	start := func(name, listen, clients, secret string, config *tls.Config) *embedded.Server {
		s, err := embedded.Start(ctx, embedded.Config{
			Name: name, Folder: t.TempDir(), Listen: listen, Clients: clients, Routes: routes, Secret: secret, TLS: config,
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	const secret = "a secret of the cluster"
	var servers []*embedded.Server
	for i := range 3 {
		clients := ""
		if i == 0 {
			clients = addrs[3]
		}
		servers = append(servers, start(fmt.Sprint("node", i), routes[i], clients, secret, ours.config(t)))
	}
	s, err := natsstore.Open(ctx, "tls://"+addrs[3], natsstore.Config{Timeout: time.Minute},
		nats.UserInfo("nest", secret), nats.Secure(&tls.Config{RootCAs: ours.pool, MinVersion: tls.VersionTLS12}))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.Create(ctx, store.Record{ID: "id", Expires: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	for _, one := range servers {
		for one.Ready() != nil {
			if ctx.Err() != nil {
				t.Fatal(one.Ready())
			}
			<-time.After(10 * time.Millisecond)
		}
	}
	for name, stranger := range map[string]*embedded.Server{
		"another secret":    start("stranger1", addrs[4], "", "another secret than theirs", ours.config(t)),
		"another authority": start("stranger2", addrs[5], "", secret, theirs.config(t)),
	} {
		conn, err := stranger.Connect()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		s, err := natsstore.New(t.Context(), natsstore.Config{Conn: conn, Timeout: 3 * time.Second})
		if err == nil {
			s.Close()
			t.Errorf("a server with %s has joined the cluster", name)
		}
		if stranger.Ready() == nil {
			t.Errorf("a server with %s is ready", name)
		}
	}
	if _, err := nats.Connect("tls://"+addrs[3], nats.Secure(&tls.Config{RootCAs: ours.pool, MinVersion: tls.VersionTLS12}), nats.UserInfo("nest", "another secret than theirs")); err == nil {
		t.Error("a client without the secret has connected")
	}
}
