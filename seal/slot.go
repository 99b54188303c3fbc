package seal

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"strings"
	"unicode/utf8"

	"github.com/haven-health/haven/internal/crypt"
	"github.com/haven-health/haven/internal/secret"
)

// The usual names of slots.
const (
	Daily    = "daily"    // opens the store at every start
	Recovery = "recovery" // is kept elsewhere
)

// Limits of a slot, in bytes.
const (
	MaxSlot     = 32 << 10 // encoded
	MaxSlotName = 64
	maxSealID   = 256
)

const slotFormat = 1

// Slot is a root key wrapped by one seal. It is public, and changing any of it only keeps it from
// opening.
type Slot struct {
	// Name is what operators call it: lower-case letters, digits and "-".
	Name string
	// Kind and Seal are of the seal that opens it.
	Kind, Seal string
	// Generation counts the root keys of a store, from 1.
	Generation uint32
	// Sealed is the root key in its envelope.
	Sealed Sealed
}

// slotJSON is the stored form of a slot.
type slotJSON struct {
	Format     int    `json:"format"`
	Name       string `json:"name"`
	Kind       string `json:"kind"`
	Seal       string `json:"seal"`
	Generation uint32 `json:"generation"`
	Sealed     Sealed `json:"sealed"`
}

// Encode returns the slot's one encoding, JSON. It returns [ErrSlot] for a slot that no function
// here has made.
func (s Slot) Encode() ([]byte, error) {
	if !s.valid() {
		return nil, ErrSlot
	}
	return json.Marshal(slotJSON{slotFormat, s.Name, s.Kind, s.Seal, s.Generation, s.Sealed})
}

// DecodeSlot reads what [Slot.Encode] wrote, byte for byte, and returns [ErrSlot] for all else:
// what encodes differently – a key twice or in another case, unknown fields, spaces – is not a
// slot.
func DecodeSlot(b []byte) (Slot, error) {
	var j slotJSON
	if len(b) > MaxSlot || json.Unmarshal(b, &j) != nil || j.Format != slotFormat {
		return Slot{}, ErrSlot
	}
	s := Slot{j.Name, j.Kind, j.Seal, j.Generation, j.Sealed}
	if again, err := s.Encode(); err != nil || !bytes.Equal(again, b) {
		return Slot{}, ErrSlot
	}
	return s, nil
}

func (s Slot) valid() bool {
	switch s.Kind {
	case KindPassphrase:
		// Costs that are out of bounds are refused before anybody is asked for a passphrase. That
		// FIPS 140-3 mode cannot open the slot does not make it malformed.
		if s.Sealed.KDF == nil || s.Sealed.KDF.Check() == crypt.ErrParameters {
			return false
		}
	case KindKeyFile, KindKeeper:
		if s.Sealed.KDF != nil {
			return false
		}
	default:
		return false
	}
	return validName(s.Name) && s.Generation > 0 &&
		0 < len(s.Seal) && len(s.Seal) <= maxSealID && utf8.ValidString(s.Seal) &&
		0 < len(s.Sealed.Ciphertext) && len(s.Sealed.Ciphertext) <= MaxSealed
}

func validName(name string) bool {
	return 0 < len(name) && len(name) <= MaxSlotName &&
		strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

const envelopeLabel = "haven/root/v1\x00"

// envelope returns what a seal wraps: label ‖ store ‖ u32 generation ‖ u8 length ‖ name ‖ root key.
// Without it a seal that serves two stores, or two slots, would open either's slot as the other's.
func envelope(store [16]byte, generation uint32, name string, key []byte) secret.Bytes {
	b := make([]byte, 0, len(envelopeLabel)+len(store)+4+1+len(name)+len(key))
	b = append(b, envelopeLabel...)
	b = append(b, store[:]...)
	b = binary.BigEndian.AppendUint32(b, generation)
	b = append(b, byte(len(name)))
	b = append(b, name...)
	return secret.New(append(b, key...))
}

// openEnvelope returns the root key of an envelope, or [ErrMoved].
func openEnvelope(e secret.Bytes, store [16]byte, generation uint32, name string) (secret.Bytes, error) {
	want := envelope(store, generation, name, nil)
	key, ok := bytes.CutPrefix(secret.Expose(e), secret.Expose(want))
	if !ok || len(key) != crypt.KeySize {
		return secret.Bytes{}, ErrMoved
	}
	return secret.New(bytes.Clone(key)), nil
}
