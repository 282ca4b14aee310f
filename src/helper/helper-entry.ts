import { main } from './main.ts';

// Left-over timers and sockets must not keep a helper alive: at this point all is released.
void main(process.argv.slice(2)).then((status) => process.exit(status));
