package blob

import "encoding/binary"

// MaxBindingField is the longest string of a [Binding], in bytes.
const MaxBindingField = 255

// Binding says what wrapped key material is and where it belongs. It is not part of the wrapped
// blob: whoever unwraps has to know it, from the item the blob was found in. A blob that was moved
// to another key, version, account or store, or whose item says another spec or usage, does not
// unwrap. The wrapping key and its version need no field: the blob's own header names them.
type Binding struct {
	Store   [16]byte // the store's id
	Account string   // the account's number
	Purpose string   // what kind of material: "key version", "stored key", "integrity key"
	ID      string   // exact bytes: a key's 16, or a name
	Version uint32
	Spec    string
	Usage   string
}

// Append appends the binding's encoding: store ‖ u32 version ‖ each string in the order of the
// fields, preceded by its length as one byte. It returns [ErrMalformed] when one is longer than
// [MaxBindingField].
func (b *Binding) Append(dst []byte) ([]byte, error) {
	dst = append(dst, b.Store[:]...)
	dst = binary.BigEndian.AppendUint32(dst, b.Version)
	for _, s := range [...]string{b.Account, b.Purpose, b.ID, b.Spec, b.Usage} {
		if len(s) > MaxBindingField {
			return nil, malformed("binding field too long")
		}
		dst = append(dst, byte(len(s)))
		dst = append(dst, s...)
	}
	return dst, nil
}
