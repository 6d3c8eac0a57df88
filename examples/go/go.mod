module example.org/delegate

go 1.23
