"""The pages for people: sign in, connect an app, see and end what apps may do. Forms that work without scripts."""
