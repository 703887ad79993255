"""The demo: people, apps and an EHR made up on the spot, who play the homework journey over HTTP as anybody could."""
