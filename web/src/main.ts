import { mount } from "svelte";
import "./look.css"; // first, so that components can differ
import App from "./App.svelte";

mount(App, { target: document.getElementById("page")! });
