import { defineConfig } from 'vitest/config';

/** A busy machine fails no test: what hangs is told by it, and what is slow is not. */
const PATIENCE = 60_000;

export default defineConfig({
  test: {
    include: ['tests/**/*.test.ts'],
    environment: 'node',
    testTimeout: PATIENCE,
    hookTimeout: PATIENCE
  }
});
