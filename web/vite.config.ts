import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

export default defineConfig({
  base: "/page/",
  plugins: [svelte()],
  build: {
    outDir: "../agentcl/server/page",
    emptyOutDir: true,
    assetsInlineLimit: 0, // nothing is written into the page
    modulePreload: { polyfill: false },
    target: "es2022",
  },
});
