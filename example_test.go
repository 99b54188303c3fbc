package haven_test

import (
	"context"
	"fmt"
	"os"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/keys"
)

// README.md shows this function's body; TestReadme compares them.
func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "haven-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	if err := protect(ctx, dir+"/store"); err != nil {
		fmt.Println(err)
	}
	// Output: version 1: penicillin: anaphylaxis
}

// README: begin
func protect(ctx context.Context, dir string) error {
	system, err := haven.Open(ctx, haven.Config{DataDir: dir}) // makes the store, and its key file
	if err != nil {
		return err
	}
	defer system.Close()
	km := system.KeyManager() // acts as the local administrator

	key, err := km.CreateKey(ctx, keys.CreateRequest{
		Purpose: "Patient data encryption", Type: keys.Data, RotationDays: 90,
	})
	if err != nil {
		return err
	}
	sealed, err := km.Encrypt(ctx, keys.EncryptRequest{Key: key.ID, Plaintext: []byte("penicillin: anaphylaxis")})
	if err != nil {
		return err
	}
	if _, err = km.RotateKey(ctx, key.ID); err != nil {
		return err
	}
	opened, err := km.Decrypt(ctx, keys.DecryptRequest{Ciphertext: sealed.Ciphertext})
	if err != nil {
		return err
	}
	fmt.Printf("version %d: %s\n", opened.Version, opened.Plaintext)
	return nil
}

// README: end
