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

// openFolder opens the embedded store: [embedded.Open] or [embedded.Examine].
type openFolder func(context.Context, embedded.Config) (*embedded.Store, error)

// openEmbedded opens the data folder and, where no seal is configured, reads its key file if there
// is one.
func openEmbedded(ctx context.Context, cfg *Config, open openFolder) (store.Store, error) {
	folder, err := disk.Dir(cfg.DataDir)
	if err != nil {
		return nil, fmt.Errorf("haven: data folder: %w", err)
	}
	s, err := open(ctx, embedded.Config{FS: folder, Rand: cfg.Random})
	if err != nil {
		return nil, fmt.Errorf("haven: %w", err)
	}
	if len(cfg.Seals) > 0 {
		return s, nil
	}
	file, err := seal.ReadKeyFile(filepath.Join(cfg.DataDir, KeyFileName), cfg.Random)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("haven: key file: %w", err), s.Close())
	}
	cfg.Seals = map[string]seal.Seal{seal.Daily: file}
	return s, nil
}

// makeKeyFile makes the default key file. It is made for a new store alone: in the place of one
// that was lost, another would only hide that. It is durable before the store that it opens.
func makeKeyFile(cfg *Config) (*seal.KeyFile, error) {
	file, err := seal.NewKeyFile(cfg.Random)
	if err == nil {
		err = file.Write(filepath.Join(cfg.DataDir, KeyFileName))
	}
	if err != nil {
		return nil, fmt.Errorf("haven: key file: %w", err)
	}
	return file, nil
}
