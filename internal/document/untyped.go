package document

// Stored is a decoded document, for code that does not depend on the type of its data.
type Stored interface {
	Bookkeeping() *Meta
	Locked() error // as [Document.Locked]
}

// Bookkeeping returns the document's bookkeeping.
func (d *Document[T]) Bookkeeping() *Meta { return &d.Meta }

// Untyped is a codec for code that does not depend on the type of the data. Each document
// that it returns is the *Document[T] of its codec.
type Untyped interface {
	Look(key string) Place                                                                  // as [Codec.Look]
	DecodeAt(p Place, key string, data []byte, version uint64, with Opener) (Stored, error) // as [Codec.DecodeAt]
	Read(key string, data []byte) (Stored, error)                                           // as [Codec.Read]
}

// Untyped returns the codec without its type.
func (c *Codec[T]) Untyped() Untyped { return untyped[T]{c} }

type untyped[T any] struct{ codec *Codec[T] }

func (u untyped[T]) Look(key string) Place { return u.codec.Look(key) }

func (u untyped[T]) DecodeAt(p Place, key string, data []byte, version uint64, with Opener) (Stored, error) {
	return orNil(u.codec.DecodeAt(p, key, data, version, with))
}

func (u untyped[T]) Read(key string, data []byte) (Stored, error) {
	return orNil(u.codec.Read(key, data))
}

// orNil keeps a document that is nil from becoming a Stored that is not nil.
func orNil[T any](d *Document[T], err error) (Stored, error) {
	if err != nil {
		return nil, err
	}
	return d, nil
}
