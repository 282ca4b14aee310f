import * as z from 'zod';

// Checks here run once or a few times per process: compiling them to functions first costs more than it saves.
z.config({ jitless: true });
