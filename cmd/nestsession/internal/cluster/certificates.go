package cluster

import (
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// tlsName is the name in the certificates. A process that has one is a node, wherever it is.
const tlsName = "nestsession"

// tlsConfig is the configuration of the links, on both sides.
type tlsConfig struct{ tls *tls.Config }

// newTLS makes a certificate for this process. The authority's key is derived from the secret, so only a
// process that knows the secret can make one. With several secrets there is an authority for each, all are
// trusted, and each certifies this process: it has a key that signs its certificate, and
// each authority signs that key.
func newTLS(secrets []string) (tlsConfig, error) {
	_, signer, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tlsConfig{}, err
	}
	_, own, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return tlsConfig{}, err
	}
	node := certificate("nestsession node", true)
	leaf := certificate(tlsName, false)
	leaf.DNSNames = []string{tlsName}
	leaf.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := sign(leaf, node, own, signer)
	if err != nil {
		return tlsConfig{}, err
	}
	pair := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: own}
	trusted := x509.NewCertPool()
	for _, secret := range secrets {
		seed, err := key(secret, "authority")
		if err != nil {
			return tlsConfig{}, err
		}
		authority := ed25519.NewKeyFromSeed(seed)
		root := certificate("nestsession cluster", true)
		self, err := sign(root, root, authority, authority)
		if err != nil {
			return tlsConfig{}, err
		}
		parsed, err := x509.ParseCertificate(self)
		if err != nil {
			return tlsConfig{}, err
		}
		trusted.AddCert(parsed)
		between, err := sign(node, parsed, signer, authority)
		if err != nil {
			return tlsConfig{}, err
		}
		pair.Certificate = append(pair.Certificate, between)
	}
	return tlsConfig{&tls.Config{
		MinVersion:   tls.VersionTLS13,
		ServerName:   tlsName,
		Certificates: []tls.Certificate{pair},
		RootCAs:      trusted,
		ClientCAs:    trusted,
		ClientAuth:   tls.RequireAndVerifyClientCert,
	}}, nil
}

// certificate is valid at any time, because clocks of nodes may be wrong, and processes run for long.
func certificate(name string, authority bool) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber:          new(big.Int).SetInt64(time.Now().UnixNano()),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:              time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true,
	}
	if authority {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	}
	return c
}

func sign(c, by *x509.Certificate, key, with crypto.Signer) ([]byte, error) {
	return x509.CreateCertificate(rand.Reader, c, by, key.Public(), with)
}
