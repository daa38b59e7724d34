"""What clients say, said back: a stream application in Python."""


def application(connection, address):
    while data := connection.recv(65536):
        connection.sendall(data)
