package crashtest

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
)

// Build builds Haven with the tag "faults" from the module's folder, and returns the binary's path.
func Build(ctx context.Context, module, into string) (string, error) {
	binary, err := filepath.Abs(filepath.Join(into, "haven-faults"))
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "faults", "-o", binary, "./cmd/haven")
	cmd.Dir = module
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("crashtest: building Haven: %w\n%s", err, out)
	}
	return binary, nil
}
