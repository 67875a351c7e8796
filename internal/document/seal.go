package document

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"hash"
	"sync"

	"github.com/nestsession/session/internal/sealed"
)

// Sealer authenticates the bookkeeping in stored documents, and encrypts the ids in
// it, with keys that it derives from Config.Secrets. The first secret seals, all open.
type Sealer struct {
	states  sync.Pool // of *sealState: keyed hashes are costly to make and cheap to reset
	ids     [][]byte  // one key per secret, for ids
	others  [][]byte  // one key per secret, for those of extensions
	scope   string    // Config.Scope, where ids are not hashed
	plain   bool      // they are not
	lenient bool      // other programs write the records too: what they have put there does not count

	mode SealMode     // of the data
	ring *sealed.Ring // wraps their keys
}

type sealState struct {
	macs []hash.Hash // one per secret, in order
	text []byte
	sum  [sha256.Size]byte
	code [sealLength]byte
}

// NewSealer returns the sealer for a configuration. scope is the ids'; plain says that
// they are stored as they are, lenient that other programs write the records too.
func NewSealer(secrets []string, scope string, plain, lenient bool) *Sealer {
	s := &Sealer{scope: scope, plain: plain, lenient: lenient}
	keys := make([][]byte, len(secrets))
	for i, secret := range secrets {
		keys[i] = derive([]byte(secret), "nest session: bookkeeping")
		s.ids = append(s.ids, derive([]byte(secret), "nest session: ids of successors"))
		s.others = append(s.others, derive(derive([]byte(secret), "nest session: extensions"), scope))
	}
	s.states.New = func() any {
		st := &sealState{}
		for _, key := range keys {
			st.macs = append(st.macs, hmac.New(sha256.New, key))
		}
		return st
	}
	return s
}

func derive(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}

// DeriveKeys returns one key per secret for a purpose of an extension.
func (s *Sealer) DeriveKeys(purpose string) (keys [][]byte) {
	for _, key := range s.others {
		keys = append(keys, derive(key, purpose))
	}
	return keys
}

// sealLength is that of a MAC as text: 16 bytes.
const sealLength = 22

// appendMAC appends the MAC of the bookkeeping of the record under key. members are what
// [Meta.appendMembers] has written.
func (s *Sealer) appendMAC(dst []byte, key string, members []byte) []byte {
	key = s.bound(key)
	st := s.states.Get().(*sealState)
	defer s.states.Put(st)
	st.text = append(append(append(st.text[:0], key...), 0), members...)
	return append(dst, st.mac(0)...)
}

// macOf returns which of the secrets made the bookkeeping's MAC for this very record;
// negative: none. It is computed from the values, since a program or a database in
// between may write the same JSON in another form.
func (s *Sealer) macOf(key string, m *Meta) int {
	if len(m.MAC) != sealLength {
		return -1
	}
	key = s.bound(key)
	st := s.states.Get().(*sealState)
	defer s.states.Put(st)
	st.text = m.appendMembers(append(append(st.text[:0], key...), 0))
	for i := range st.macs {
		if subtle.ConstantTimeCompare(st.mac(i), []byte(m.MAC)) == 1 {
			return i
		}
	}
	return -1
}

// bound is what the MAC of the record under key is bound to: its hash in any case, so
// that sessions can be moved to where ids are hashed.
func (s *Sealer) bound(key string) string {
	if s.plain {
		return RecordID(s.scope, key)
	}
	return key
}

// mac returns the MAC of st.text: of a record's key and its bookkeeping.
func (st *sealState) mac(secret int) []byte {
	h := st.macs[secret]
	h.Reset()
	h.Write(st.text)
	sum := h.Sum(st.sum[:0])
	return base64.RawURLEncoding.AppendEncode(st.code[:0], sum[:16])
}

var errForged = errors.New("bookkeeping that was not written with one of Config.Secrets for this record")

// read reads the bookkeeping member of the record under key.
func (s *Sealer) read(key string, text []byte) (m Meta, err error) {
	if m.parse(text) != len(text) {
		var slow Meta // what encoding/json is given is on the heap
		if err := json.Unmarshal(text, &slow); err != nil {
			return s.forged()
		}
		m = slow
	}
	return s.check(key, m)
}

// check returns bookkeeping that one of the secrets has made for the record under key.
func (s *Sealer) check(key string, m Meta) (Meta, error) {
	if m.onlyEnded() {
		m.own()
		return m, nil
	}
	secret := s.macOf(key, &m)
	if secret < 0 {
		return s.forged()
	}
	m.own()
	m.Stale = secret > 0
	return m, nil
}

// forged is what bookkeeping is read as that does not count.
func (s *Sealer) forged() (Meta, error) {
	if s.lenient {
		return Meta{Forged: true}, nil
	}
	return Meta{}, errForged
}

var errSealedID = errors.New("session: the successor's id cannot be opened")

// SealID encrypts the id of a renewed session for those who hold the old one: who can
// Read the store, and has no id, learns nothing from it.
func (s *Sealer) SealID(old, id string) (string, error) {
	box, err := idBox(s.ids[0], old)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(box.Seal(nil, nil, []byte(id), nil)), nil
}

func (s *Sealer) OpenID(old, text string) (string, error) {
	sealed, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return "", errSealedID
	}
	for _, key := range s.ids {
		box, err := idBox(key, old)
		if err != nil {
			return "", err
		}
		if id, err := box.Open(nil, nil, sealed, nil); err == nil {
			return string(id), nil
		}
	}
	return "", errSealedID
}

func idBox(key []byte, old string) (cipher.AEAD, error) {
	block, err := aes.NewCipher(derive(key, old))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// RecordID is the hash of an id under which its record is stored.
func RecordID(scope, id string) string {
	var space [128]byte
	return Hashed(append(append(append(space[:0], scope...), 0), id...))
}

func Hashed(text []byte) string {
	sum := sha256.Sum256(text)
	var hash [43]byte
	base64.RawURLEncoding.Encode(hash[:], sum[:])
	return string(hash[:])
}
