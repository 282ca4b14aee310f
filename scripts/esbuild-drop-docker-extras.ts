import type { Plugin } from 'esbuild';

/**
 * Leaves out dockerode's BuildKit session, which brings gRPC, protobuf and a .proto file that a bundle would not find.
 * No image is ever built here; who tried would get a plain error.
 */
export function dropDockerSession(): Plugin {
  return {
    name: 'drop-docker-session',
    setup(build) {
      build.onLoad({ filter: /dockerode[\\/]lib[\\/]session\.js$/ }, () => ({
        contents: `module.exports = function withSession(docker, auth, handler) {
  handler(new Error('BuildKit sessions are not part of this program.'), null, function () {});
};`,
        loader: 'js',
      }));
    },
  };
}
