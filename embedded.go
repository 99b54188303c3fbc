package haven

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"github.com/haven-health/haven/internal/disk"
	"github.com/haven-health/haven/seal"
	"github.com/haven-health/haven/store"
	"github.com/haven-health/haven/store/embedded"
)

// KeyFileName is the default seal in the data folder.
const KeyFileName = "seal.key"

// openEmbedded opens the data folder and, where no seal is configured, its key file, which a first
// start makes. The key file is written before the store that it opens.
func openEmbedded(ctx context.Context, cfg *Config) (store.Store, error) {
	folder, err := disk.Dir(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("haven: data folder: %w", err)
	}
	s, err := embedded.Open(ctx, embedded.Config{FS: folder, Rand: cfg.Random})
	if err != nil {
		return nil, fmt.Errorf("haven: %w", err)
	}
	if len(cfg.Seals) > 0 {
		return s, nil
	}
	file, err := keyFile(folder, cfg)
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	cfg.Seals = map[string]seal.Seal{seal.Daily: file}
	return s, nil
}

// keyFile reads the default key file, or makes it when there is none.
func keyFile(folder disk.FS, cfg *Config) (*seal.KeyFile, error) {
	path := filepath.Join(cfg.DataDir, KeyFileName)
	if _, err := folder.ReadFile(KeyFileName, 4096); errors.Is(err, fs.ErrNotExist) {
		made, err := seal.NewKeyFile(cfg.Random)
		if err != nil {
			return nil, fmt.Errorf("haven: key file: %w", err)
		}
		if err := made.Write(path); err != nil {
			return nil, fmt.Errorf("haven: key file: %w", err)
		}
	}
	file, err := seal.ReadKeyFile(path, cfg.Random)
	if err != nil {
		return nil, fmt.Errorf("haven: key file: %w", err)
	}
	return file, nil
}
