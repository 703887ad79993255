"""Work that outlives the request which causes it: durable jobs and what runs at intervals, on the database of the rest."""
