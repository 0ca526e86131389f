"""The tables of the shop."""

from django.core.validators import MinValueValidator
from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=100, unique=True)
    price = models.DecimalField(max_digits=10, decimal_places=2, validators=[MinValueValidator(0)])
    stock = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return str(self.name)


class Order(models.Model):
    class Status(models.TextChoices):
        OPEN = "open"
        REFUNDED = "refunded"

    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    status = models.CharField(max_length=10, choices=Status, default=Status.OPEN)

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product}"
