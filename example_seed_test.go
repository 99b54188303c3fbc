package haven_test

import (
	"context"
	"fmt"

	"github.com/haven-health/haven"
	"github.com/haven-health/haven/gate/gatetest"
	"github.com/haven-health/haven/keys"
	"github.com/haven-health/haven/store/memory"
	"github.com/haven-health/haven/vault"
)

// memorySystem is a system for examples.
func memorySystem(ctx context.Context) (*haven.System, error) {
	return haven.Open(ctx, haven.Config{Store: memory.New(1), Seals: gatetest.Seals()})
}

// Creating a key of 90 days, rotating it by hand, and having it checked each day.
func ExampleSystem_RotationScheduler() {
	ctx := context.Background()
	system, err := memorySystem(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer system.Close()
	km := system.KeyManager()
	key, err := km.CreateKey(ctx, keys.CreateRequest{Purpose: "Patient data encryption", Type: keys.Data, RotationDays: 90})
	if err != nil {
		fmt.Println(err)
		return
	}
	next, err := km.RotateKey(ctx, key.ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := system.RotationScheduler().ScheduleRotationCheck(ctx, "rate(1 day)"); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("version %d is the primary, %d before it\n", next.Version, next.PreviousVersion)
	fmt.Println("due", next.ExpiresAt.Sub(next.NextRotationAt), "before its end")
	// Output:
	// version 2 is the primary, 1 before it
	// due 168h0m0s before its end
}

// Storing a key that was made elsewhere, under a master key, and retrieving it.
func ExampleSystem_KeyVault() {
	ctx := context.Background()
	system, err := memorySystem(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer system.Close()
	_, err = system.KeyVault().StoreKey(ctx, vault.StoreRequest{
		Name: "api-signing-key", Value: []byte("generated"), KMSKeyID: "alias/haven-master",
		Metadata: map[string]string{"algorithm": "RSA-2048", "purpose": "API request signing", "created_by": "system"},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	value, metadata, err := system.KeyVault().RetrieveKey(ctx, "api-signing-key")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s, %s for %s\n", value, metadata["algorithm"], metadata["purpose"])
	// Output: generated, RSA-2048 for API request signing
}
